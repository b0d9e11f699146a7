"""Encodes avatars of all accepted types."""

import os
import sys
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from genderclient._avatar.files import read_file, read_stream
from genderclient._avatar.limits import check_size
from genderclient._avatar.text import decode_text, decode_text_in_bytes
from genderclient._exceptions import InvalidAvatar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    class BinaryFile(Protocol):
        """A file opened in binary mode."""

        def read(self, size: int, /) -> bytes | None: ...

    class PillowImage(Protocol):
        """A `PIL.Image.Image`, without the need for Pillow."""

        @property
        def size(self) -> tuple[int, int]: ...
        def getbands(self) -> tuple[str, ...]: ...

    Avatar: TypeAlias = (
        str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryFile | PillowImage | NDArray[np.uint8]
    )
else:
    # Annotations are evaluated by `typing.get_type_hints` and pydantic, which cannot check these types.
    Avatar = Any

FOR_NO_AVATAR: Final = "; pass None for a user without an avatar"
_ACCEPTED: Final = (
    "a path, bytes, a data: URL, base64, a file opened in binary mode, a PIL image, "
    "a uint8 array of shape [H,W], [H,W,3] or [H,W,4], or None"
)


def encode_avatar(avatar: "Avatar | None", *, allow_paths: bool = True) -> bytes:
    """Returns the encoded image, empty for None.

    The bytes of images and files are returned unchanged; a file is read from its current position. PIL images and
    arrays become PNG.
    At most `MAX_AVATAR_BYTES` are read. No error contains any part of the avatar.

    Args:
        avatar: The avatar in any accepted type.
        allow_paths: Whether files may be opened. Set it to False for avatars from users, who could name any file.
    """
    if avatar is None:
        return b""
    encoded = _encode(avatar, allow_paths)
    if not encoded:
        raise InvalidAvatar(f"avatar: 0 bytes, expected an image{FOR_NO_AVATAR}")
    check_size(len(encoded))
    return encoded


def _encode(avatar: Any, allow_paths: bool) -> bytes:
    if isinstance(avatar, bytes | bytearray | memoryview):
        # Before the copy, which could be gigabytes.
        check_size(memoryview(avatar).nbytes)
        return decode_text_in_bytes(bytes(avatar))
    if isinstance(avatar, str):
        return decode_text(avatar, allow_paths)
    if isinstance(avatar, os.PathLike):
        if not allow_paths:
            raise InvalidAvatar("avatar: got a path, which this client does not open; pass the bytes")
        return read_file(avatar)
    if _is_instance(avatar, "PIL.Image", "Image"):
        from genderclient._avatar.png import png_from_image

        return png_from_image(avatar)
    if _is_instance(avatar, "numpy", "ndarray"):
        return _encode_array(avatar)
    if hasattr(avatar, "read"):
        return read_stream(avatar)
    raise TypeError(f"avatar: got {type(avatar).__name__}, expected {_ACCEPTED}")


def _is_instance(value: object, module: str, name: str) -> bool:
    """Checks a class of an optional library. A caller who has an instance has imported the library."""
    return module in sys.modules and isinstance(value, getattr(sys.modules[module], name))


def _encode_array(array: "NDArray[Any]") -> bytes:
    channels = array.shape[2:]
    if array.dtype != "uint8" or array.ndim not in (2, 3) or channels not in ((), (3,), (4,)) or not array.size:
        got = f"a {array.dtype} array of shape {list(array.shape)}"
        raise TypeError(f"avatar: got {got}, expected {_ACCEPTED}")
    try:
        from genderclient._avatar.png import png_from_array
    except ImportError as exc:
        raise TypeError("avatar: arrays need Pillow: pip install 'genderclient[images]', or pass bytes") from exc
    return png_from_array(array)
