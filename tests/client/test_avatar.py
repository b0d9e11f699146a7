"""Encoding of all accepted types of avatars."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genderclient import InvalidAvatar
from genderclient._avatar import MAX_AVATAR_BYTES, encode_avatar

BYTES = b"\xff\xd8 any bytes \0\0"
ORIENTATION = 0x0112


def opened(encoded: bytes) -> Image.Image:
    return Image.open(io.BytesIO(encoded))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "头像.jpg"
    path.write_bytes(BYTES)
    return path


def test_none_is_empty() -> None:
    assert encode_avatar(None) == b""


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO])
def test_bytes_are_unchanged(kind: Any) -> None:
    assert encode_avatar(kind(BYTES)) == BYTES


def test_paths_and_files_are_unchanged(file: Path) -> None:
    assert encode_avatar(file) == BYTES
    assert encode_avatar(str(file)) == BYTES
    with file.open("rb") as stream:
        assert encode_avatar(stream) == BYTES


@pytest.mark.parametrize(("shape", "mode"), [((5, 7), "L"), ((5, 7, 3), "RGB"), ((5, 7, 4), "RGBA")])
def test_array_is_lossless(shape: tuple[int, ...], mode: str) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    image = opened(encode_avatar(array))
    assert (image.format, image.mode) == ("PNG", mode)
    np.testing.assert_array_equal(np.asarray(image), array)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK", "YCbCr", "HSV"])
def test_every_color_mode_becomes_png(mode: str) -> None:
    image = opened(encode_avatar(Image.new(mode, (7, 5))))
    assert (image.format, image.size) == ("PNG", (7, 5))


def test_orientation_is_applied() -> None:
    photo = Image.new("RGB", (7, 5))
    photo.getexif()[ORIENTATION] = 6
    assert opened(encode_avatar(photo)).size == (5, 7)


def test_truncated_image_is_rejected() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    half = opened(encode_avatar(noise)[:5000])
    with pytest.raises(InvalidAvatar, match=r"Pillow cannot encode this image: .*truncated"):
        encode_avatar(half)


@pytest.mark.parametrize(
    ("avatar", "got"),
    [
        (3, "got int"),
        ([1, 2], "got list"),
        (np.zeros((5, 7), np.float32), r"got a float32 array of shape \[5, 7\]"),
        (np.zeros((5, 7, 2), np.uint8), r"got a uint8 array of shape \[5, 7, 2\]"),
        (np.zeros(5, np.uint8), r"got a uint8 array of shape \[5\]"),
        (np.zeros((0, 7), np.uint8), r"got a uint8 array of shape \[0, 7\]"),
    ],
)
def test_wrong_type_is_rejected(avatar: Any, got: str) -> None:
    with pytest.raises(TypeError, match=f"avatar: {got}, expected a path, bytes"):
        encode_avatar(avatar)


def test_text_file_is_rejected() -> None:
    with pytest.raises(TypeError, match="reading the file gave str, expected bytes; open it in binary mode"):
        encode_avatar(io.StringIO("text"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("no/such.jpg", r"cannot read the file 'no/such.jpg': .*No such file.*check the path"),
        (".", "cannot read the file"),
        ("nul\0.jpg", "cannot read the file"),
        ("https://example.com/me.jpg", "got a URL; fetch it with an AvatarFetcher"),
    ],
)
def test_unreadable_file_is_rejected(path: str, reason: str) -> None:
    with pytest.raises(InvalidAvatar, match=reason):
        encode_avatar(path)


def test_empty_bytes_are_rejected() -> None:
    with pytest.raises(InvalidAvatar, match="0 bytes; pass None"):
        encode_avatar(b"")


class Endless(io.RawIOBase):
    """Returns as many bytes as requested, without end."""

    def read(self, size: int = -1) -> bytes:
        assert size >= 0
        return bytes(size)


@pytest.mark.parametrize("avatar", [bytes(MAX_AVATAR_BYTES + 1), memoryview(bytes(MAX_AVATAR_BYTES + 1)), Endless()])
def test_too_many_bytes_are_rejected_before_the_copy(avatar: Any) -> None:
    with pytest.raises(InvalidAvatar, match="over the limit of 10485760 bytes"):
        encode_avatar(avatar)


def test_limit_is_inclusive() -> None:
    assert len(encode_avatar(bytes(MAX_AVATAR_BYTES))) == MAX_AVATAR_BYTES
