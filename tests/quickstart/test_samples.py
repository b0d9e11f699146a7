"""A folder of your own sample users."""

import os
from pathlib import Path

import pytest
from PIL import Image

from quickstart.samples import SamplesError, read_samples


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.new("RGB", (20, 20), "red").save(tmp_path / "a.png")
    Image.new("RGB", (20, 20), "blue").save(tmp_path / "b.jpg")
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def write_table(folder: Path, text: str) -> None:
    (folder / "nicknames.csv").write_text(text, encoding="utf-8")


def test_table_names_images_and_nicknames(folder: Path) -> None:
    write_table(folder, "file,nickname\na.png,小美\nb.jpg,\n,Kevin\n")
    users = read_samples(folder)
    assert [user.nickname for user in users] == ["小美", None, "Kevin"]
    assert users[0].avatar == (folder / "a.png").read_bytes()
    assert users[2].avatar is None


def test_users_have_the_names_of_their_files(folder: Path) -> None:
    (folder / os.fsdecode(b"\xff.png")).write_bytes(b"")
    assert [user.file for user in read_samples(folder)] == ["a.png", "b.jpg", "\ufffd.png"]


def test_folder_named_like_an_image_is_no_user(folder: Path) -> None:
    (folder / "album.jpg").mkdir()
    (folder / "lost.png").symlink_to(folder / "nowhere.png")
    assert len(read_samples(folder)) == 2


def test_table_in_another_encoding_is_named(folder: Path) -> None:
    (folder / "nicknames.csv").write_text("file,nickname\na.png,小美\n", encoding="gb18030")
    with pytest.raises(SamplesError, match=r"nicknames.csv: expected UTF-8"):
        read_samples(folder)


def test_table_saved_by_excel_is_read(folder: Path) -> None:
    write_table(folder, "\ufefffile,nickname\r\na.png,小美\r\n")
    assert read_samples(folder)[0].nickname == "小美"


def test_without_table_each_image_is_a_user(folder: Path) -> None:
    assert [user.nickname for user in read_samples(folder)] == [None, None]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("name,picture\n", r"expected file,nickname as its first line; missing: file, nickname"),
        ("", r"expected file,nickname as its first line"),
        ("file,nickname\nlost.png,x\n", r"line 2: no image 'lost.png'"),
        ("file,nickname\n", r"neither images \(\.jpg, .*\) nor rows"),
    ],
)
def test_invalid_table_is_rejected(table: str, message: str, folder: Path) -> None:
    write_table(folder, table)
    with pytest.raises(SamplesError, match=message):
        read_samples(folder)


@pytest.mark.parametrize(
    ("name", "message"), [("nowhere", "is not a folder"), (".", r"neither images \(\.jpg, .*\) nor rows")]
)
def test_folder_without_users_is_rejected(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SamplesError, match=message):
        read_samples(tmp_path / name)
