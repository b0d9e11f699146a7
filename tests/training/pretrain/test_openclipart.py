"""The collection's folders become themes and its file names titles; links and other files are left out."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from training.data.bad_rows import ManifestError
from training.pretrain.openclipart import read_collection, title_of
from training.pretrain.pictures import read_pictures


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    for name in ("animals/cat_01.png", "animals/cat_02.png", "shapes/stars/star_51pt02step.png"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGBA", (20, 10), (200, 30, 30, 128)).save(file)
    (tmp_path / "animals/kitten.png").symlink_to(tmp_path / "animals/cat_01.png")
    (tmp_path / "animals/README.txt").write_text("not a drawing")
    return tmp_path


def test_rows(collection: Path) -> None:
    table = read_collection(collection)
    assert [Path(each).name for each in table["picture"]] == ["cat_01.png", "cat_02.png", "star_51pt02step.png"]
    assert table["theme"].tolist() == ["animals", "animals", "shapes"]
    assert table["title"].tolist() == ["cat", "cat", "star 51pt02step"]
    assert table["card"].nunique() == 2


def test_manifest_is_read_like_that_of_cards(collection: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "openclipart.csv"
    read_collection(collection).to_csv(manifest, index=False)
    pictures = read_pictures(manifest, 16)
    assert pictures.pixels.shape == (3, 16, 16, 3)
    assert pd.Series(pictures.table["split"]).isin(["train", "validation", "test"]).all()


def test_a_drawing_over_the_limit_of_pixels_is_left_out(collection: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("1", (30, 30)).save(collection / "shapes/large.png")
    monkeypatch.setattr("training.pretrain.openclipart.MAX_COLOR_PIXELS", 500)
    assert "large" not in read_collection(collection)["title"].tolist()


def test_titles_are_words() -> None:
    assert title_of(Path("red_car-01.png")) == "red car"
    assert title_of(Path("head2.png")) == "head2"


def test_an_empty_folder_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="expected folders of PNG files, got none; install"):
        read_collection(tmp_path)
