"""gRPC requests as HTTP/2 frames on a plain socket, and the exact frames of their responses."""

import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, NamedTuple

from reliability.attacks.http2_frames import grpc_request

HEADERS: Final = 1
END_STREAM: Final = 1
# HPACK's index of `:status: 200`.
STATUS_200: Final = b"\x88"


class Frame(NamedTuple):
    """A frame of the response's stream."""

    type: int
    ends_stream: bool
    payload: bytes


def post_grpc(url: str, path: str, headers: Mapping[str, str]) -> list[Frame]:
    """Post an empty gRPC message and return the frames of the response."""
    host, port = url.split(":")
    with socket.create_connection((host, int(port)), 5) as connection, connection.makefile("rb") as stream:
        connection.sendall(grpc_request(path, headers, size=5))
        frames = []
        with suppress(TimeoutError):
            while head := stream.read(9):
                payload = stream.read(int.from_bytes(head[:3], "big"))
                if head[5:] != b"\0\0\0\1":
                    continue
                frames.append(Frame(head[3], bool(head[4] & END_STREAM), payload))
                if frames[-1].ends_stream:
                    break
    return frames
