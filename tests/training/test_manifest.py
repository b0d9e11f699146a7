"""Manifests: three file types, defaults, and an error that names what is wrong."""

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from training.data.manifest import SPLITS, ManifestError, read_manifest, split_of, write_manifest

ROWS: list[dict[str, object]] = [
    {"nickname": "007", "avatar": "", "gender": "male", "split": "train", "weight": 2.5, "source": "a"},
    {"nickname": "NA", "avatar": "pictures/1.jpg", "gender": "female", "split": "test", "weight": 1, "source": ""},
    {"nickname": "", "avatar": "pictures/2.jpg", "gender": "female", "split": "validation", "weight": 0, "source": "b"},
]


def write(folder: Path, kind: str, rows: list[dict[str, object]]) -> Path:
    file = folder / f"manifest.{kind}"
    table = pd.DataFrame(rows)
    match kind:
        case "csv":
            table.to_csv(file, index=False)
        case "jsonl":
            table.to_json(file, orient="records", lines=True)
        case "parquet":
            table.to_parquet(file)
    return file


def without(*columns: str) -> list[dict[str, object]]:
    return [{key: value for key, value in row.items() if key not in columns} for row in ROWS]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_every_file_type_says_the_same(tmp_path: Path, kind: str) -> None:
    found = read_manifest(write(tmp_path, kind, ROWS)).to_dict("records")
    expected = [row | {"avatar": str(tmp_path / str(row["avatar"])) if row["avatar"] else ""} for row in ROWS]
    assert found == expected


def test_what_was_written_is_read(tmp_path: Path) -> None:
    found = read_manifest(write_manifest(ROWS, tmp_path / "manifest.csv"))
    assert found["nickname"].tolist() == ["007", "NA", ""]


def test_optional_columns_have_defaults(tmp_path: Path) -> None:
    found = read_manifest(write(tmp_path, "csv", without("split", "weight", "source")))
    assert found["split"].tolist() == [split_of(key) for key in ("007", "pictures/1.jpg", "pictures/2.jpg")]
    assert found["weight"].tolist() == [1.0, 1.0, 1.0]
    assert found["source"].tolist() == ["", "", ""]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_null_is_missing(tmp_path: Path, kind: str) -> None:
    rows: list[dict[str, object]] = [
        {"nickname": None, "avatar": "1.jpg", "gender": "male"},
        {"nickname": "小宝", "avatar": None, "gender": "male"},
    ]
    found = read_manifest(write(tmp_path, kind, rows))
    assert found["nickname"].tolist() == ["", "小宝"]
    assert found["avatar"].tolist() == [str(tmp_path / "1.jpg"), ""]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (without("gender"), "no column gender; needed are nickname, avatar, gender"),
        (without("nickname", "avatar"), "no column nickname, avatar; needed are"),
        ([ROWS[0], ROWS[1] | {"gender": "Female"}], "row 1: gender 'Female', allowed: male, female"),
        ([ROWS[0] | {"split": "dev"}], "row 0: split 'dev', allowed: train, validation, test"),
        ([ROWS[0], ROWS[1] | {"weight": "heavy"}], "row 1: weight 'heavy', needed is a number from 0 on"),
        ([ROWS[0] | {"weight": -1.0}], "row 0: weight '-1.0', needed is a number from 0 on"),
        ([ROWS[0] | {"weight": ""}], "needed is a number from 0 on"),
    ],
)
def test_wrong_content_is_named(tmp_path: Path, rows: list[dict[str, object]], message: str) -> None:
    file = write(tmp_path, "csv", rows)
    with pytest.raises(ManifestError) as error:
        read_manifest(file)
    assert str(error.value).startswith(f"{file}: ")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "cannot be read: "),
        ("a.csv", 'nickname,avatar,gender\n"a,b,c\n', "cannot be read: .*Expected 3 columns, got 1"),
        ("a.jsonl", "{bad\n", "cannot be read"),
        ("a.parquet", "nothing", "cannot be read"),
        ("a.xlsx", "", "a manifest is .csv, .jsonl, .parquet or a folder"),
    ],
)
def test_unreadable_files_are_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ManifestError, match=message):
        read_manifest(tmp_path / name)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_no_such_manifest(tmp_path: Path, kind: str) -> None:
    with pytest.raises(FileNotFoundError):
        read_manifest(tmp_path / f"nothing.{kind}")


def test_splits_never_change() -> None:
    found = {key: split_of(key) for key in ("drawn/1000000", "drawn/1000001", "faker/male/1", "微信", "e")}
    assert list(found.values()) == ["test", "train", "validation", "train", "test"]


def test_splits_are_about_eight_to_one_to_one() -> None:
    counts = Counter(split_of(f"user/{index}") for index in range(10_000))
    assert [round(counts[split] / 1000) for split in SPLITS] == [8, 1, 1]


def test_a_split_does_not_depend_on_where_the_manifest_lies(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"nickname": "", "avatar": f"{i}.jpg", "gender": "male"} for i in range(50)]
    folders = [tmp_path / "here", tmp_path / "somewhere" / "else"]
    for folder in folders:
        folder.mkdir(parents=True)
    first, second = (read_manifest(write(folder, "csv", rows))["split"].tolist() for folder in folders)
    assert first == second
    assert set(first) == set(SPLITS)
