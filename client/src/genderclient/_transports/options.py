"""How the bytes travel."""

from dataclasses import dataclass
from typing import Literal

Compression = Literal["gzip", "deflate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """What may be said about every connection, gRPC and HTTP alike.

    `max_message_bytes` is the largest request that is sent and the largest answer that is read. `compression` is for
    requests, and is asked for in answers over HTTP; avatars are compressed already, so it pays for arrays and PIL
    images on slow networks at most. `keepalive_s` is how long a silent connection waits until it asks whether the
    server is still there; never by default, for Triton hangs up on gRPC clients that do, unless it was started with
    `--grpc-keepalive-permit-without-calls=true` and `--grpc-http2-min-recv-ping-interval-without-data=` fewer
    milliseconds.

    Raises ValueError for numbers that cannot be.
    """

    max_message_bytes: int = 16 * 2**20
    compression: Compression | None = None
    keepalive_s: float | None = None

    def __post_init__(self) -> None:
        if self.max_message_bytes < 1:
            raise ValueError(f"max_message_bytes: got {self.max_message_bytes}, expected 1 or more")
        if self.compression not in (None, "gzip", "deflate"):
            raise ValueError(f"compression: got {self.compression!r}, expected 'gzip', 'deflate' or None")
        if self.keepalive_s is not None and not 1 <= self.keepalive_s <= 2**31 / 1000:
            raise ValueError(f"keepalive_s: got {self.keepalive_s}, expected 1 second or more")
