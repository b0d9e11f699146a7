"""Planted markers that stand for a nickname and an avatar, and the search for them in any output."""

import base64
from io import BytesIO

from PIL import Image
from PIL.PngImagePlugin import PngInfo

NAME, PICTURE = "planted3f9a1c7be2d04658", "planteda80d7e519cf6b324"


def planted_png() -> bytes:
    """A valid PNG with the marker in its text chunk."""
    file, comment = BytesIO(), PngInfo()
    comment.add_text("Comment", PICTURE)
    Image.new("RGB", (48, 48), "red").save(file, "PNG", pnginfo=comment)
    return file.getvalue()


def spellings(marker: str) -> set[bytes]:
    """The marker in plain, hexadecimal and base64 at every offset, without the ends that its neighbors change."""
    plain = marker.encode()
    shifted = (base64.b64encode(bytes(shift) + plain)[4:-4] for shift in range(3))
    return {plain, plain.hex().encode(), *shifted}


def found(written: bytes) -> set[bytes]:
    return {spelling for marker in (NAME, PICTURE) for spelling in spellings(marker) if spelling in written}
