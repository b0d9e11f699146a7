"""The samples of the first run: drawn ones of every kind, and a person's own folder."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from genderprep import prepare_image, prepare_text
from quickstart.samples import SamplesError, drawn_samples, read_samples


def folder(tmp_path: Path, table: str | None = None) -> Path:
    Image.new("RGB", (20, 20), "red").save(tmp_path / "a.png")
    Image.new("RGB", (20, 20), "blue").save(tmp_path / "b.jpg")
    (tmp_path / "notes.txt").write_text("no picture")
    if table is not None:
        (tmp_path / "nicknames.csv").write_text(table, encoding="utf-8")
    return tmp_path


def test_drawn_samples_show_every_kind() -> None:
    samples = drawn_samples()
    assert len(samples) >= 12
    shown = {
        (prepare_image(s.avatar or b"")[1], prepare_text((s.nickname or "").encode())[1]): s.nickname for s in samples
    }
    assert set(shown) == {(True, True), (True, False), (False, True), (False, False)}
    nicknames = " ".join(s.nickname or "" for s in samples)
    assert all(part in nicknames for part in ("国强", "🌹", "灬", "Kevin"))
    assert all(Image.open(BytesIO(s.avatar)).size == (132, 132) for s in samples if s.avatar)


def test_a_table_names_pictures_and_nicknames(tmp_path: Path) -> None:
    samples = read_samples(folder(tmp_path, "file,nickname\na.png,小美\nb.jpg,\n,Kevin\n"))
    assert [s.nickname for s in samples] == ["小美", None, "Kevin"]
    assert samples[0].avatar == (tmp_path / "a.png").read_bytes()
    assert samples[2].avatar is None


def test_a_table_written_by_excel_is_read(tmp_path: Path) -> None:
    assert read_samples(folder(tmp_path, "\ufefffile,nickname\r\na.png,小美\r\n"))[0].nickname == "小美"


def test_without_a_table_every_picture_counts(tmp_path: Path) -> None:
    assert [s.nickname for s in read_samples(folder(tmp_path))] == [None, None]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("name,picture\n", r"expected file,nickname"),
        ("", r"expected file,nickname"),
        ("file,nickname\nlost.png,x\n", r"line 2: no picture 'lost.png'"),
        ("file,nickname\n", r"neither pictures nor rows"),
    ],
)
def test_a_bad_table_is_refused(table: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SamplesError, match=message):
        read_samples(folder(tmp_path, table))


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SamplesError, match="is not a folder"):
        read_samples(tmp_path / "nowhere")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SamplesError, match="neither pictures nor rows"):
        read_samples(tmp_path)
