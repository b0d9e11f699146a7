"""Tables and arrays that cannot be used are named, without their content."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from training.curation.review_manifest import ReviewManifest
from training.data.bad_rows import ManifestError
from training.data.tables import read_array, read_arrays, read_parquet, read_text_columns
from training.ranking import ablate, world
from training.ranking.world import read_cards, read_profiles
from training.synthetic import open_users

SECRET = "jiangnan88"
READERS = (read_text_columns, read_parquet, read_array, read_arrays, read_cards, read_profiles, ReviewManifest.read)


def test_tables_are_read(tmp_path: Path) -> None:
    table = pd.DataFrame({"card": ["007"], "theme": ["tea"]})
    table.to_csv(tmp_path / "cards.csv", index=False)
    table.to_parquet(tmp_path / "cards.parquet")
    np.save(tmp_path / "vectors.npy", np.eye(2))
    assert read_text_columns(tmp_path / "cards.csv", "card")["card"].tolist() == ["007"]
    assert read_parquet(tmp_path / "cards.parquet", "theme")["theme"].tolist() == ["tea"]
    assert read_array(tmp_path / "vectors.npy").tolist() == np.eye(2).tolist()
    np.savez(tmp_path / "arrays.npz", a=1, b=2)
    assert read_arrays(tmp_path / "arrays.npz") == {"a": 1, "b": 2}
    assert read_arrays(tmp_path / "arrays.npz", "b") == {"b": 2}


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("content", [b"", SECRET.encode() + b"\x00\xff\xfe\n"])
def test_damaged_files_are_named(read: Callable[[Path], object], content: bytes, tmp_path: Path) -> None:
    (tmp_path / "damaged").write_bytes(content)
    with pytest.raises(ManifestError, match="damaged: ") as caught:
        read(tmp_path / "damaged")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("read", READERS)
def test_missing_files_and_folders(read: Callable[[Path], object], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent"):
        read(tmp_path / "absent")
    with pytest.raises(ManifestError, match=str(tmp_path)):
        read(tmp_path)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    pd.DataFrame({"card": [1]}).to_parquet(tmp_path / "cards.parquet")
    with pytest.raises(ManifestError, match="expected the columns card, theme, missing theme"):
        read_parquet(tmp_path / "cards.parquet", "card", "theme")


def test_an_archive_is_no_array(tmp_path: Path) -> None:
    np.savez(tmp_path / "vectors.npz", a=np.eye(2))
    with pytest.raises(ManifestError, match="expected an npy file with one array, got an npz"):
        read_array(tmp_path / "vectors.npz")
    with pytest.raises(ManifestError, match=r"expected the arrays vectors, ids, missing vectors, ids$"):
        read_arrays(tmp_path / "vectors.npz", "vectors", "ids")
    np.save(tmp_path / "vectors.npy", np.eye(2))
    with pytest.raises(ManifestError, match="expected an npz file, got an npy"):
        read_arrays(tmp_path / "vectors.npy")


def test_damaged_array_of_an_npz_is_named(tmp_path: Path) -> None:
    file = tmp_path / "arrays.npz"
    np.savez_compressed(file, a=np.arange(10_000))
    content = bytearray(file.read_bytes())
    content[500:600] = bytes(100)
    file.write_bytes(content)
    with pytest.raises(ManifestError, match="expected an npz file, got "):
        read_arrays(file, "a")


def test_ids_of_cards_are_numbers(tmp_path: Path) -> None:
    (tmp_path / "cards.csv").write_text("card,theme,style,id\na,tea,ink,1\nb,tea,ink,two\n")
    with pytest.raises(ManifestError, match="row 2: expected a number in the column id"):
        read_cards(tmp_path / "cards.csv")


def test_cards_have_a_split_or_a_name(tmp_path: Path) -> None:
    (tmp_path / "cards.csv").write_text("theme,style\ntea,ink\n")
    with pytest.raises(ManifestError, match="expected a column split or card, got theme, style, id"):
        read_cards(tmp_path / "cards.csv")


@pytest.mark.parametrize(
    ("main", "arguments"),
    [
        (world.main, ["--cards", "damaged", "--vectors", "damaged"]),
        (ablate.main, ["--cards", "damaged", "--vectors", "damaged"]),
        (open_users.main, ["--pictures", "damaged", "--nicknames", "damaged"]),
    ],
)
def test_commands_end_with_one_line(
    main: Callable[[], None], arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("damaged").write_bytes(b"")
    monkeypatch.setattr(sys, "argv", ["command", *arguments, "--out", "out"])
    with pytest.raises(SystemExit, match=r"^(world|ablate|open_users): damaged: "):
        main()
