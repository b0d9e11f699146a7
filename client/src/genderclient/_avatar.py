"""An avatar as people have it, to the encoded image that travels."""

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
    """The encoded image: bytes and files as they are, PIL images and arrays as lossless PNG; empty without one.

    An array holds uint8 grey [H,W], RGB [H,W,3] or RGBA [H,W,4]. A file is read from where it stands to its end.
    Raises TypeError for anything else, InvalidAvatar when there is nothing to read or over `MAX_AVATAR_BYTES` of it.
    """
    if avatar is None:
        return b""
    encoded = _encoded(avatar)
    if not encoded:
        raise InvalidAvatar("avatar: 0 bytes; pass None for a user without an avatar")
    _check_size(len(encoded))
    return encoded


def _encoded(avatar: Any) -> bytes:
    if isinstance(avatar, bytes | bytearray | memoryview):
        # Before copying: it could be gigabytes.
        _check_size(memoryview(avatar).nbytes)
        return bytes(avatar)
    if isinstance(avatar, str | os.PathLike):
        return _file(avatar)
    if _is_instance(avatar, "PIL.Image", "Image"):
        return _png(avatar)
    if _is_instance(avatar, "numpy", "ndarray"):
        return _png(_picture(avatar))
    if hasattr(avatar, "read"):
        return _stream(avatar)
    raise TypeError(f"avatar: got {type(avatar).__name__}, expected {_ACCEPTED}")


def _is_instance(value: object, module: str, name: str) -> bool:
    """Whether `value` is of a class whose module may not be installed; nobody has one who has not imported it."""
    return module in sys.modules and isinstance(value, getattr(sys.modules[module], name))


def _check_size(size_bytes: int) -> None:
    if size_bytes > MAX_AVATAR_BYTES:
        raise InvalidAvatar(f"avatar: over the limit of {MAX_AVATAR_BYTES} bytes; send a smaller picture")


def _file(path: str | os.PathLike[str]) -> bytes:
    try:
        with Path(path).open("rb") as stream:
            return _stream(stream)
    except (OSError, ValueError) as exc:
        if isinstance(path, str) and path.startswith(("http://", "https://")):
            raise InvalidAvatar("avatar: got a web address; fetch it with an AvatarFetcher and pass the bytes") from exc
        raise InvalidAvatar(f"avatar: cannot read the file {os.fspath(path)!r}: {exc}; check the path") from exc


def _stream(stream: BinaryIO) -> bytes:
    # One byte over the limit is enough to see that it is passed.
    data = stream.read(MAX_AVATAR_BYTES + 1)
    if not isinstance(data, bytes):
        raise TypeError(f"avatar: reading the file gave {type(data).__name__}, expected bytes; open it in binary mode")
    return data


def _picture(array: "NDArray[Any]") -> Any:
    """A `PIL.Image.Image` of the array's pixels."""
    channels = array.shape[2:]
    if array.dtype != "uint8" or array.ndim not in (2, 3) or channels not in ((), (3,), (4,)) or not array.size:
        got = f"a {array.dtype} array of shape {list(array.shape)}"
        raise TypeError(f"avatar: got {got}, expected {_ACCEPTED}")
    try:
        from PIL import Image
    except ImportError as exc:
        raise TypeError("avatar: arrays need Pillow: pip install 'genderclient[images]', or pass bytes") from exc
    return Image.fromarray(array)


def _png(image: Any) -> bytes:
    """Upright, since PNG loses the orientation a camera wrote; in the nearest colours PNG has."""
    from PIL import ImageOps

    png = io.BytesIO()
    try:
        upright = ImageOps.exif_transpose(image)
        drawable = upright if upright.mode in _PNG_MODES else upright.convert("RGB")
        drawable.save(png, "PNG", compress_level=1)
    except (OSError, SystemError, ValueError) as exc:
        raise InvalidAvatar(f"avatar: Pillow cannot write this image: {exc}; check that it loads") from exc
    return png.getvalue()
