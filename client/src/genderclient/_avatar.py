"""Encodes avatars of all accepted types."""

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeAlias

from genderclient._exceptions import InvalidAvatar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    Avatar: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Image | NDArray[np.uint8]

MAX_AVATAR_BYTES: Final = 10 * 2**20

_ACCEPTED: Final = (
    "a path, bytes, a file opened in binary mode, a PIL image, "
    "a uint8 array of shape [H,W], [H,W,3] or [H,W,4], or None"
)
_PNG_MODES: Final = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")


def encode_avatar(avatar: "Avatar | None") -> bytes:
    """Returns the encoded image, empty for None.

    Bytes and files are returned unchanged; a file is read from its current position. PIL images and arrays become
    lossless PNG. At most `MAX_AVATAR_BYTES` are read.
    """
    if avatar is None:
        return b""
    encoded = _encode(avatar)
    if not encoded:
        raise InvalidAvatar("avatar: 0 bytes; pass None for a user without an avatar")
    _check_size(len(encoded))
    return encoded


def _encode(avatar: Any) -> bytes:
    if isinstance(avatar, bytes | bytearray | memoryview):
        # Before the copy, which could be gigabytes.
        _check_size(memoryview(avatar).nbytes)
        return bytes(avatar)
    if isinstance(avatar, str | os.PathLike):
        return _read_file(avatar)
    if _is_instance(avatar, "PIL.Image", "Image"):
        return _encode_png(avatar)
    if _is_instance(avatar, "numpy", "ndarray"):
        return _encode_png(_image_from_array(avatar))
    if hasattr(avatar, "read"):
        return _read_stream(avatar)
    raise TypeError(f"avatar: got {type(avatar).__name__}, expected {_ACCEPTED}")


def _is_instance(value: object, module: str, name: str) -> bool:
    """Checks a class of an optional library. A caller who has an instance has imported the library."""
    return module in sys.modules and isinstance(value, getattr(sys.modules[module], name))


def _check_size(size_bytes: int) -> None:
    if size_bytes > MAX_AVATAR_BYTES:
        raise InvalidAvatar(f"avatar: over the limit of {MAX_AVATAR_BYTES} bytes; send a smaller picture")


def _read_file(path: str | os.PathLike[str]) -> bytes:
    try:
        with Path(path).open("rb") as stream:
            return _read_stream(stream)
    except (OSError, ValueError) as exc:
        if isinstance(path, str) and path.startswith(("http://", "https://")):
            raise InvalidAvatar("avatar: got a URL; fetch it with an AvatarFetcher and pass the bytes") from exc
        raise InvalidAvatar(f"avatar: cannot read the file {os.fspath(path)!r}: {exc}; check the path") from exc


def _read_stream(stream: BinaryIO) -> bytes:
    # One byte more than the limit shows that it is exceeded.
    data = stream.read(MAX_AVATAR_BYTES + 1)
    if not isinstance(data, bytes):
        raise TypeError(f"avatar: reading the file gave {type(data).__name__}, expected bytes; open it in binary mode")
    return data


def _image_from_array(array: "NDArray[Any]") -> "Image":
    channels = array.shape[2:]
    if array.dtype != "uint8" or array.ndim not in (2, 3) or channels not in ((), (3,), (4,)) or not array.size:
        got = f"a {array.dtype} array of shape {list(array.shape)}"
        raise TypeError(f"avatar: got {got}, expected {_ACCEPTED}")
    try:
        from PIL import Image
    except ImportError as exc:
        raise TypeError("avatar: arrays need Pillow: pip install 'genderclient[images]', or pass bytes") from exc
    return Image.fromarray(array)


def _encode_png(image: "Image") -> bytes:
    """Applies the EXIF orientation, which PNG would lose, and converts color modes that PNG does not have."""
    from PIL import ImageOps

    png = io.BytesIO()
    try:
        upright = ImageOps.exif_transpose(image)
        drawable = upright if upright.mode in _PNG_MODES else upright.convert("RGB")
        drawable.save(png, "PNG", compress_level=1)
    except (OSError, SystemError, ValueError) as exc:
        raise InvalidAvatar(f"avatar: Pillow cannot encode this image: {exc}; check that it loads") from exc
    return png.getvalue()
