"""PIL images: one table of the pixels that each mode gives, and errors of decoders."""

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genderclient import Client, FakeTransport, InvalidAvatar, User
from genderclient._avatar import encode_avatar
from genderprep import prepare_image
from tests.support.client.fakes import respond_male
from tests.support.pictures import encode, noise

SIDE = 8
ORIENTATION = 0x0112


def new(mode: str, color: Any) -> Image.Image:
    return Image.new(mode, (SIDE, SIDE), color)


def gray(mode: str, level: int) -> Image.Image:
    """An image of a 16-bit mode, which `Image.new` fills only with small levels."""
    order = ">" if mode.endswith("B") else "<"
    return Image.frombytes(mode, (SIDE, SIDE), struct.pack(f"{order}H", level) * SIDE * SIDE)


def palette(color: tuple[int, int, int], **info: Any) -> Image.Image:
    image = new("P", 1)
    image.putpalette([0, 0, 0, *color])
    image.info.update(info)
    return image


RED_FIFTH = (255, 204, 204)

TABLE: dict[str, tuple[Image.Image, tuple[int, int, int]]] = {
    "1": (new("1", 1), (255, 255, 255)),
    "L": (new("L", 77), (77, 77, 77)),
    "P": (palette((1, 2, 3)), (1, 2, 3)),
    "P transparent": (palette((1, 2, 3), transparency=1), (255, 255, 255)),
    "RGB": (new("RGB", (1, 2, 3)), (1, 2, 3)),
    "RGBX": (new("RGBX", (1, 2, 3, 0)), (1, 2, 3)),
    "RGBA": (new("RGBA", (255, 0, 0, 51)), RED_FIFTH),
    "RGBa": (new("RGBA", (255, 0, 0, 51)).convert("RGBa"), RED_FIFTH),
    "LA": (new("LA", (0, 51)), (204, 204, 204)),
    "La": (new("LA", (0, 51)).convert("La"), (204, 204, 204)),
    "PA": (new("RGBA", (255, 0, 0, 51)).convert("PA"), RED_FIFTH),
    "CMYK": (new("CMYK", (0, 0, 0, 178)), (77, 77, 77)),
    "YCbCr": (new("YCbCr", (77, 128, 128)), (77, 77, 77)),
    "LAB": (new("LAB", (255, 128, 128)), (255, 255, 255)),
    "HSV": (new("HSV", (0, 0, 77)), (77, 77, 77)),
    "I of 8 bits": (new("I", 77), (77, 77, 77)),
    "I of 16 bits": (new("I", 77 * 257), (77, 77, 77)),
    "I out of range": (new("I", 2**30), (255, 255, 255)),
    "I negative": (new("I", -5), (0, 0, 0)),
    "F of 8 bits": (new("F", 77.0), (77, 77, 77)),
    "F of 16 bits": (new("F", 77.0 * 257), (77, 77, 77)),
    "F not finite": (new("F", float("nan")), (0, 0, 0)),
    **{mode: (gray(mode, 77 * 257), (77, 77, 77)) for mode in ("I;16", "I;16L", "I;16B", "I;16N")},
    **{f"{mode} dark": (gray(mode, 77), (0, 0, 0)) for mode in ("I;16", "I;16L", "I;16B", "I;16N")},
}


@pytest.mark.parametrize("mode", TABLE)
def test_pixels_of_mode(mode: str) -> None:
    image, color = TABLE[mode]
    pixels, _ = prepare_image(encode_avatar(image))
    assert np.abs(pixels.astype(int) - color).max() <= 1


def test_orientation_is_applied() -> None:
    photo = Image.new("RGB", (7, 5))
    photo.getexif()[ORIENTATION] = 6
    assert Image.open(io.BytesIO(encode_avatar(photo))).size == (5, 7)


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def closed(folder: Path) -> Image.Image:
    file = folder / "me.png"
    file.write_bytes(encode(noise(), "PNG"))
    with Image.open(file) as image:
        return image


def closed_stream(folder: Path) -> Image.Image:
    with io.BytesIO(encode(noise(), "JPEG")) as stream:
        return Image.open(stream)


def broken_exif(folder: Path) -> Image.Image:
    image = noise()
    image.info["exif"] = b"Exif\0\0no TIFF header"
    return image


def broken_chunk(folder: Path) -> Image.Image:
    """The second IDAT chunk has an invalid name."""
    content = encode(noise(300), "PNG")
    second = content.index(b"IDAT", content.index(b"IDAT") + 4)
    return opened(content[:second] + b"\xffDAT" + content[second + 4 :])


def truncated(kind: str) -> Callable[[Path], Image.Image]:
    return lambda folder: opened((content := encode(noise(), kind))[: len(content) // 2])


def damaged(kind: str) -> Callable[[Path], Image.Image]:
    def open_damaged(folder: Path) -> Image.Image:
        content = bytearray(encode(noise(), kind))
        content[len(content) // 2 : len(content) // 2 + 500] = bytes(500)
        return opened(bytes(content))

    return open_damaged


BROKEN = [closed, closed_stream, broken_exif, broken_chunk, truncated("PNG"), truncated("JPEG"), damaged("PNG")]


@pytest.mark.parametrize("make", BROKEN)
def test_broken_image_is_invalid_for_its_user_only(make: Callable[[Path], Image.Image], tmp_path: Path) -> None:
    with pytest.raises(InvalidAvatar, match="Pillow cannot encode this image"):
        encode_avatar(make(tmp_path))
    users = [User(nickname="a"), User(avatar=make(tmp_path)), User(nickname="b")]
    with Client(transport=FakeTransport(respond_male)) as client:
        first, second, third = client.predict_many(users)
    assert first.prediction and third.prediction
    assert isinstance(second.error, InvalidAvatar)
