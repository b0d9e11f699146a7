"""HTTP/2 frames on a plain socket: requests that no gRPC library sends, and the exact frames of the responses."""

import socket
from contextlib import suppress
from typing import Final, NamedTuple

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS = 1, 4
EMPTY_MESSAGE: Final = bytes(5)
# HPACK's index of `:status: 200`.
STATUS_200: Final = b"\x88"


class Frame(NamedTuple):
    """A frame of the request's stream."""

    type: int
    ends_stream: bool
    payload: bytes


def post_grpc(url: str, path: str, **headers: str) -> list[Frame]:
    """Post an empty gRPC message and return the frames of the response."""
    fields = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "triton", "te": "trailers"}
    fields |= {"content-type": "application/grpc"} | {name.replace("_", "-"): value for name, value in headers.items()}
    block = b"".join(b"\0" + _string(name) + _string(value) for name, value in fields.items())
    host, port = url.split(":")
    with socket.create_connection((host, int(port)), 5) as connection, connection.makefile("rb") as stream:
        request = _frame(HEADERS, END_HEADERS, 1, block) + _frame(DATA, END_STREAM, 1, EMPTY_MESSAGE)
        connection.sendall(PREFACE + _frame(SETTINGS, 0, 0, b"") + request)
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


def _string(text: str) -> bytes:
    assert len(text) < 127, "a longer string needs another encoding of its length"
    return bytes([len(text)]) + text.encode()


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
