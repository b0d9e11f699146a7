"""`genderprep.image`: every path through the decoder, every limit at its edge, malformed bytes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import genderprep.rgb
from genderprep import InvalidAvatar, prepare_image
from genderprep.limits import AVATAR_FORMATS, MAX_AVATAR_BYTES, MAX_AVATAR_PIXELS
from genderprep.tensors import IMAGE_SIZE
from tests.support.pictures import encode, flat, noise, png_of_size
from training.synthetic.drawing import draw_portrait, draw_scene

Pixels = NDArray[np.uint8]

SHAPE = (IMAGE_SIZE, IMAGE_SIZE, 3)
ORIENTATION_TAG = 0x0112
# What a viewer does to the stored picture for each EXIF orientation.
TURNS: dict[int, Callable[[Pixels], Any]] = {
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).swapaxes(0, 1),
    8: np.rot90,
}
SMALL = noise(48)
ENCODED = {kind: encode(SMALL, kind) for kind in AVATAR_FORMATS} | {
    "GIF, animated": encode(SMALL, "GIF", save_all=True, append_images=[noise(48, 1)]),
    "JPEG, progressive": encode(SMALL, "JPEG", progressive=True),
    "JPEG, CMYK": encode(SMALL.convert("CMYK"), "JPEG"),
    "PNG, palette": encode(SMALL.quantize(16), "PNG"),
    "PNG, interlaced gray": encode(SMALL.convert("L"), "PNG", interlace=1),
    "WEBP, lossless": encode(SMALL, "WEBP", lossless=True),
}


def pixels_of(avatar: bytes) -> Pixels:
    pixels, present = prepare_image(avatar)
    assert pixels.shape == SHAPE
    assert pixels.dtype == np.uint8
    assert isinstance(present, bool)
    return pixels


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[ORIENTATION_TAG] = orientation
    return tags


def assert_refused_or_prepared(avatar: bytes) -> None:
    try:
        pixels_of(avatar)
    except InvalidAvatar as exc:
        assert str(exc).startswith("AVATAR: ")


@pytest.mark.parametrize("kind", ["PNG", "BMP"])
def test_lossless_formats_keep_pixels(kind: str) -> None:
    np.testing.assert_array_equal(pixels_of(encode(noise(), kind)), np.asarray(noise()))


@pytest.mark.parametrize("kind", AVATAR_FORMATS)
def test_each_format_keeps_colors(kind: str) -> None:
    assert np.abs(pixels_of(encode(flat((200, 40, 90)), kind)).astype(int) - (200, 40, 90)).max() <= 8


@pytest.mark.parametrize("orientation", TURNS)
def test_exif_orientation(orientation: int) -> None:
    expected = TURNS[orientation](np.asarray(noise()))
    np.testing.assert_array_equal(pixels_of(encode(noise(), "PNG", exif=exif(orientation))), expected)


@pytest.mark.parametrize("orientation", TURNS)
def test_exif_orientation_of_jpeg(orientation: int) -> None:
    plain = pixels_of(encode(draw_portrait("male", 3), "JPEG"))
    turned = pixels_of(encode(draw_portrait("male", 3), "JPEG", exif=exif(orientation)))
    assert np.abs(turned.astype(int) - TURNS[orientation](plain)).max() <= 1


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "I;16"])
@pytest.mark.parametrize("orientation", TURNS)
def test_bands_equal_whole_picture(mode: str, orientation: int, monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image.fromarray(np.arange(300 * 401, dtype=np.uint16).reshape(300, 401) * 7)
    if mode != "I;16":
        image = noise(401).crop((0, 0, 401, 300)).convert(mode)
    content = encode(image, "PNG", exif=exif(orientation))
    whole = pixels_of(content)
    monkeypatch.setattr(genderprep.rgb, "_BAND_PIXELS", 10_000)
    np.testing.assert_array_equal(pixels_of(content), whole)


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_first_frame_of_animation(kind: str) -> None:
    frames = [flat((0, 0, 255)), flat((0, 255, 0))]
    content = encode(flat((255, 0, 0)), kind, save_all=True, append_images=frames, lossless=True)
    np.testing.assert_array_equal(pixels_of(content), np.broadcast_to((255, 0, 0), SHAPE))


@pytest.mark.parametrize(
    ("alpha", "expected"), [(255, (200, 100, 0)), (0, (255, 255, 255)), (51, (244, 224, 204)), (128, (227, 177, 127))]
)
def test_alpha_over_white(alpha: int, expected: tuple[int, int, int]) -> None:
    pixels = pixels_of(encode(flat((200, 100, 0, alpha), "RGBA"), "PNG"))
    np.testing.assert_array_equal(pixels, np.broadcast_to(expected, SHAPE))


def test_alpha_of_webp_over_white() -> None:
    pixels = pixels_of(encode(flat((200, 100, 0, 0), "RGBA"), "WEBP", lossless=True))
    np.testing.assert_array_equal(pixels, np.full(SHAPE, 255))


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_transparent_palette_entry_over_white(kind: str) -> None:
    halves = np.repeat([0, 1], IMAGE_SIZE // 2).astype(np.uint8)
    image = Image.fromarray(np.tile(halves, (IMAGE_SIZE, 1))).convert("P")
    image.putpalette([200, 0, 0, 0, 0, 200])
    pixels = pixels_of(encode(image, kind, transparency=0))
    assert (pixels[:, : IMAGE_SIZE // 2] == 255).all()
    assert (pixels[:, IMAGE_SIZE // 2 :] == (0, 0, 200)).all()


def test_half_transparent_palette_entries_over_white() -> None:
    image = flat((0,), "P")
    image.putpalette([200, 100, 0])
    pixels = pixels_of(encode(image, "PNG", transparency=bytes([51])))
    np.testing.assert_array_equal(pixels, np.broadcast_to((244, 224, 204), SHAPE))


def test_transparent_color_over_white() -> None:
    pixels = pixels_of(encode(flat((1, 2, 3)), "PNG", transparency=(1, 2, 3)))
    np.testing.assert_array_equal(pixels, np.full(SHAPE, 255))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (flat((77,), "L"), 77),
        (flat((100, 255), "LA"), 100),
        (flat((100, 51), "LA"), 224),
        (flat((1,), "1"), 255),
        (flat((0,), "1"), 0),
        (Image.fromarray(np.full((IMAGE_SIZE, IMAGE_SIZE), 0x4DFF, np.uint16)), 0x4D),
        (flat((0, 255, 255, 0), "CMYK").convert("L"), 76),
    ],
    ids=["gray", "gray, opaque", "gray, transparent", "white bit", "black bit", "16 bits", "from CMYK"],
)
def test_modes_without_color(image: Image.Image, expected: int) -> None:
    np.testing.assert_array_equal(pixels_of(encode(image, "PNG")), np.full(SHAPE, expected))


def test_cmyk() -> None:
    pixels = pixels_of(encode(flat((0, 255, 255, 0), "CMYK"), "JPEG"))
    assert np.abs(pixels.astype(int) - (255, 0, 0)).max() <= 2


def test_center_square_is_cropped() -> None:
    image = flat((255, 0, 0)).resize((3 * IMAGE_SIZE, IMAGE_SIZE))
    image.paste(noise(), (IMAGE_SIZE, 0))
    np.testing.assert_array_equal(pixels_of(encode(image, "PNG")), np.asarray(noise()))


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (2, 3), (129, 127)])
def test_odd_sizes(size: tuple[int, int]) -> None:
    pixels = pixels_of(encode(Image.new("RGB", size, (10, 200, 30)), "PNG"))
    np.testing.assert_array_equal(pixels, np.broadcast_to((10, 200, 30), SHAPE))


def test_empty_avatar_is_missing() -> None:
    pixels, present = prepare_image(b"")
    np.testing.assert_array_equal(pixels, np.zeros(SHAPE, np.uint8))
    assert present is False


@pytest.mark.parametrize("seed", range(8))
def test_pictures_are_present_in_color_and_gray(seed: int) -> None:
    for image in (draw_portrait(("male", "female")[seed % 2], seed), draw_scene(seed)):
        assert prepare_image(encode(image, "JPEG"))[1]
        assert prepare_image(encode(image.convert("L"), "JPEG"))[1]


def test_byte_limit() -> None:
    avatar = encode(noise(), "PNG")
    padded = avatar + bytes(MAX_AVATAR_BYTES - len(avatar))
    np.testing.assert_array_equal(pixels_of(padded), np.asarray(noise()))
    with pytest.raises(InvalidAvatar, match=r"^AVATAR: 10485761 bytes, the limit is 10485760$"):
        prepare_image(padded + b"\0")


def test_pixel_limit() -> None:
    assert MAX_AVATAR_PIXELS == 8000 * 4000
    pixels_of(encode(Image.new("1", (8000, 4000)), "PNG"))
    with pytest.raises(InvalidAvatar, match=r"^AVATAR: 8000x4001 pixels, the limit is 32000000 in all$"):
        prepare_image(png_of_size(8000, 4001))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [6_000, 10_000, 20_000, 2**31 - 1])
def test_decompression_bomb(side: int) -> None:
    with pytest.raises(InvalidAvatar, match=r"^AVATAR: .*pixels, the limit is 32000000"):
        prepare_image(png_of_size(side, side))


@pytest.mark.parametrize("avatar", [b"hello", b"\0", b"<svg/>", b"%PDF-1.4", b"\xff\xd8", encode(noise(), "TIFF")])
def test_foreign_bytes_are_refused(avatar: bytes) -> None:
    with pytest.raises(InvalidAvatar, match=r"^AVATAR: not an image; send the bytes of a JPEG, PNG, WEBP, GIF, BMP"):
        prepare_image(avatar)


@pytest.mark.parametrize("kind", [kind for kind in ENCODED if kind != "GIF, animated"])
def test_half_a_file_is_refused(kind: str) -> None:
    with pytest.raises(InvalidAvatar, match=r"^AVATAR: the image is damaged or truncated|^AVATAR: not an image"):
        prepare_image(ENCODED[kind][: len(ENCODED[kind]) // 2])


@pytest.mark.parametrize("kind", ENCODED)
def test_truncation_is_refused_or_prepared(kind: str) -> None:
    content = ENCODED[kind]
    for length in {*range(1, min(len(content), 64)), *range(64, len(content), max(1, len(content) // 64))}:
        assert_refused_or_prepared(content[:length])


@settings(max_examples=150, deadline=None)
@given(start=st.sampled_from([b"", *(content[:40] for content in ENCODED.values())]), rest=st.binary(max_size=400))
def test_any_bytes_are_refused_or_prepared(start: bytes, rest: bytes) -> None:
    assert_refused_or_prepared(start + rest)


@settings(max_examples=250, deadline=None)
@given(kind=st.sampled_from(sorted(ENCODED)), changes=st.dictionaries(st.integers(0, 300), st.integers(0, 255)))
def test_damaged_images_are_refused_or_prepared(kind: str, changes: dict[int, int]) -> None:
    content = bytearray(ENCODED[kind])
    for position, value in changes.items():
        content[position % len(content)] = value
    assert_refused_or_prepared(bytes(content))


def test_damaged_exif_is_ignored() -> None:
    expected = pixels_of(encode(noise(), "PNG"))
    np.testing.assert_array_equal(pixels_of(encode(noise(), "PNG", exif=b"Exif\0\0no tags")), expected)
