"""Options of every connection."""

from dataclasses import dataclass
from typing import Literal

from genderclient._config.checks import check_integer, check_number

Compression = Literal["gzip", "deflate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """Options of every connection, gRPC and HTTP alike.

    Args:
        max_message_bytes: The largest request that is sent and the largest response that is read.
        compression: Compresses requests; over HTTP also asks for compressed responses. Encoded avatars hardly shrink,
            so compression pays only for arrays and PIL images on slow networks.
        keepalive_s: Seconds of silence after which a connection is probed. By default, connections are never probed,
            because Triton closes the connections of gRPC clients that probe unless it was started with
            `--grpc-keepalive-permit-without-calls=true` and `--grpc-http2-min-recv-ping-interval-without-data=` a
            smaller number of milliseconds.
    """

    max_message_bytes: int = 16 * 2**20
    compression: Compression | None = None
    keepalive_s: float | None = None

    def __post_init__(self) -> None:
        check_integer("max_message_bytes", self.max_message_bytes, "1 or more")
        if self.keepalive_s is not None:
            check_number("keepalive_s", self.keepalive_s, "a number of seconds, or None")
        if self.max_message_bytes < 1:
            raise ValueError(f"max_message_bytes: got {self.max_message_bytes}, expected 1 or more")
        if self.compression not in (None, "gzip", "deflate"):
            raise ValueError(f"compression: got {self.compression!r}, expected 'gzip', 'deflate' or None")
        if self.keepalive_s is not None and not 1 <= self.keepalive_s <= 2**31 / 1000:
            raise ValueError(f"keepalive_s: got {self.keepalive_s}, expected 1 second or more")
