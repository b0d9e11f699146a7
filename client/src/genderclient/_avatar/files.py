"""Avatars from files and streams, up to the size limit.

Errors are raised `from None`: the original message contains the path, which may name a person.
"""

import os
import stat
from typing import Any, Final

from genderclient._avatar.limits import MAX_AVATAR_BYTES, check_size
from genderclient._exceptions import InvalidAvatar

# Without O_NONBLOCK, a FIFO blocks in `open`.
_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_file(path: str | os.PathLike[str]) -> bytes:
    """Reads a regular file."""
    try:
        with open(path, "rb", opener=lambda name, _: os.open(name, _FLAGS)) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise InvalidAvatar("avatar: the path is not a regular file; expected a picture")
            return read_stream(stream)
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
    except ValueError as exc:
        if isinstance(exc, InvalidAvatar):
            raise
        reason = "the path contains a NUL or a lone surrogate"
    raise InvalidAvatar(f"avatar: cannot read the file: {reason}; check the path")


def read_stream(stream: Any) -> bytes:
    """Reads a stream from its position to its end. One read of an unbuffered stream may return only a part."""
    content = bytearray()
    # One byte more than the limit shows that it is exceeded.
    while chunk := _read(stream, MAX_AVATAR_BYTES + 1 - len(content)):
        content += chunk
        check_size(len(content))
    return bytes(content)


def _read(stream: Any, size: int) -> bytes:
    try:
        chunk = stream.read(size)
    except Exception as exc:
        reason = f"{type(exc).__name__} while reading"
        raise InvalidAvatar(f"avatar: cannot read the stream: {reason}; check that it is open and complete") from None
    if chunk is None:
        raise InvalidAvatar("avatar: the stream has no data yet; pass a blocking stream")
    if not isinstance(chunk, bytes | bytearray | memoryview):
        raise TypeError(f"avatar: reading the file gave {type(chunk).__name__}, expected bytes; open it in binary mode")
    return bytes(chunk)
