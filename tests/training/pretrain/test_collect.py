"""Pictures of several places become one shuffled manifest, in which no group is in two splits and no person appears."""

import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.support.pictures import encode, noise
from training.data.bad_rows import ManifestError
from training.data.manifest import split_of
from training.pretrain import collect
from training.pretrain.collect import COLUMNS, read_titled, subject_of, unpack_titled
from training.pretrain.pictures import read_pictures
from training.synthetic.cards import write_cards


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    file = tmp_path / "photos.parquet"
    pd.DataFrame(
        {
            "avatar": [encode(noise(20, seed), "PNG") for seed in range(3)],
            "file": ["a/sea_horse_0001.png", "b/sea_horse_0001.png", "set__woman.png"],
            "gender": ["", None, "female"],
            "group": ["animals/sea_horse", "animals/sea_horse", "people/1"],
        }
    ).to_parquet(file)
    return file


def test_pictures_of_people_are_left_out(photos: Path, tmp_path: Path) -> None:
    table = unpack_titled(photos, tmp_path / "pictures")
    assert list(table) == list(COLUMNS)
    assert table["title"].tolist() == table["theme"].tolist() == ["sea horse"] * 2
    assert set(table["split"]) == {split_of("photos/animals/sea_horse")}
    assert table["card"].nunique() == 2
    assert [Path(each).read_bytes() for each in table["picture"]] == pd.read_parquet(photos)["avatar"].tolist()[:2]


def test_cards_keep_their_splits(tmp_path: Path) -> None:
    manifest = write_cards(range(4), 1, tmp_path)
    table, alone = read_titled(manifest), read_pictures(manifest, 16).table
    assert table["split"].tolist() == alone["split"].tolist()
    assert table["style"].tolist() == alone["style"].tolist()
    assert set(table["collection"]) == {"cards"}


def test_command_writes_a_manifest_that_can_be_read(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cards = write_cards(range(6), 1, tmp_path / "cards")
    monkeypatch.setattr(
        sys, "argv", ["collect", "--manifests", str(cards), "--parquet", str(photos), "--out", str(tmp_path / "out")]
    )
    collect.main()
    pictures = read_pictures(tmp_path / "out/pictures.csv", 16)
    assert pictures.table["collection"].value_counts().to_dict() == {"cards": 6, "photos": 2}
    assert pictures.table["collection"].tolist() != sorted(pictures.table["collection"])
    assert "photos" in capsys.readouterr().out


def test_titles_are_the_words_of_a_file_name() -> None:
    assert subject_of("sea_horse_0042.jpg") == "sea horse"
    assert subject_of("sunflowers_5957007921_62333981d2_n.jpg") == "sunflowers"
    assert subject_of("some-set__red-apple.png") == "red apple"


def test_missing_columns_are_named(photos: Path, tmp_path: Path) -> None:
    pd.read_parquet(photos).drop(columns="group").to_parquet(photos)
    with pytest.raises(ManifestError, match="expected the columns avatar, file, gender, group, missing group"):
        unpack_titled(photos, tmp_path)
    (tmp_path / "some.csv").write_text("picture\nx.png\n")
    with pytest.raises(ManifestError, match="expected the columns picture, title, card, missing title, card"):
        read_titled(tmp_path / "some.csv")


def test_damaged_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    for manifest in (tmp_path / "empty.csv", tmp_path):
        with pytest.raises(ManifestError, match="expected a CSV file with a header, got"):
            read_titled(manifest)
    (tmp_path / "text.parquet").write_text("no parquet")
    with pytest.raises(ManifestError, match=r"text\.parquet: cannot be read"):
        unpack_titled(tmp_path / "text.parquet", tmp_path)
