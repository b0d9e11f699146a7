"""Encoding of all accepted types of avatars."""

import io
import os
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genderclient import InvalidAvatar
from genderclient._avatar import MAX_AVATAR_BYTES, encode_avatar

BYTES = b"\xff\xd8 any bytes \0\0"


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


@pytest.mark.parametrize("path", ["no/such.jpg", ".", "nul\0.jpg", "lone\ud800.jpg", "x" * 300])
@pytest.mark.parametrize("kind", [str, Path])
def test_unreadable_file_is_rejected_without_its_path(path: str, kind: Any) -> None:
    with pytest.raises(InvalidAvatar, match=r"cannot read the file: |not a regular file") as caught:
        encode_avatar(kind(path))
    shown = "".join(traceback.format_exception(caught.value))
    assert path == "." or path not in shown.replace(f'"{path}"', "")


def test_fifo_is_rejected_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(InvalidAvatar, match="not a regular file"):
        encode_avatar(tmp_path / "fifo")


@pytest.mark.parametrize("kind", [str, Path])
def test_no_path_is_opened_if_paths_are_not_allowed(file: Path, kind: Any) -> None:
    with pytest.raises(InvalidAvatar, match="pass the bytes"):
        encode_avatar(kind(file), allow_paths=False)


class Socket(io.RawIOBase):
    """Returns at most 3 bytes for each read, as a socket may."""

    def __init__(self, content: bytes) -> None:
        self._rest = io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        return self._rest.read(min(3, size))


def test_unbuffered_stream_is_read_to_its_end() -> None:
    assert encode_avatar(Socket(BYTES)) == BYTES


@pytest.mark.parametrize("error", [ValueError("/home/小美.jpg"), RuntimeError("/home/小美.jpg")])
def test_failing_stream_is_invalid(error: Exception) -> None:
    class Failing(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise error

    with pytest.raises(InvalidAvatar, match="cannot read the stream") as caught:
        encode_avatar(Failing())
    assert "小美" not in "".join(traceback.format_exception(caught.value))


def test_empty_bytes_are_rejected() -> None:
    with pytest.raises(InvalidAvatar, match="0 bytes, expected an image; pass None"):
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
