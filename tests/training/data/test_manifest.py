"""Manifests: three file types, defaults, and an error that names what is wrong."""

from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from training.data.arrow import Piece
from training.data.manifest import SPLITS, Manifest, ManifestError, read_manifest, split_of, write_manifest

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
        (without("gender"), "expected the columns nickname, avatar, gender, missing gender"),
        (without("nickname", "avatar"), "missing nickname, avatar"),
        ([ROWS[0], ROWS[1] | {"gender": "Female"}], "row 1: gender 'Female', expected one of male, female"),
        ([ROWS[0] | {"split": "dev"}], "row 0: split 'dev', expected one of train, validation, test"),
        ([ROWS[0], ROWS[1] | {"weight": "heavy"}], "row 1: weight 'heavy', expected a number >= 0"),
        ([ROWS[0] | {"weight": -1.0}], "row 0: weight '-1.0', expected a number >= 0"),
        ([ROWS[0] | {"weight": ""}], "expected a number >= 0"),
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
        ("a.xlsx", "", "expected .csv, .jsonl, .parquet or a folder"),
    ],
)
def test_unreadable_files_are_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ManifestError, match=message):
        read_manifest(tmp_path / name)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_no_such_manifest(tmp_path: Path, kind: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"no manifest .*synthesize` writes an example"):
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


def shards(folder: Path, rows: list[dict[str, object]]) -> Path:
    """Each row a shard of its own."""
    folder.mkdir()
    for index, row in enumerate(rows):
        pd.DataFrame([row]).to_parquet(folder / f"part-{index}.parquet")
    return folder


def test_a_folder_of_shards_says_the_same(tmp_path: Path) -> None:
    found = read_manifest(shards(tmp_path / "shards", ROWS))
    assert found.index.tolist() == [0, 1, 2]
    expected = read_manifest(write(tmp_path, "parquet", ROWS))
    assert found.drop(columns="avatar").equals(expected.drop(columns="avatar"))
    assert found["avatar"].tolist()[1] == str(tmp_path / "shards" / "pictures" / "1.jpg")


def test_a_folder_without_shards(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"a folder of \.parquet files"):
        Manifest(tmp_path)


def test_avatars_may_be_bytes(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [row | {"avatar": f"picture {i}".encode()} for i, row in enumerate(ROWS)]
    found = read_manifest(write(tmp_path, "parquet", rows))
    assert found["avatar"].tolist() == [b"picture 0", b"picture 1", b"picture 2"]
    alone = read_manifest(write(tmp_path, "parquet", [{k: v for k, v in row.items() if k != "split"} for row in rows]))
    assert alone["split"].tolist() == [split_of(f"picture {i}") for i in range(3)]


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    (table,) = Manifest(write(tmp_path, "parquet", ROWS)).tables("train", columns=("nickname",))
    assert set(table) == {"nickname", "gender", "split", "weight", "source"}
    assert table["nickname"].tolist() == ["007"]


def test_a_row_group_of_another_split_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Manifest(shards(tmp_path / "shards", ROWS))
    read: list[str] = []

    def batches(piece: Piece, columns: Collection[str] | None) -> Iterator[pa.RecordBatch]:
        read.append(piece.file)
        return Manifest._batches(opened, piece, columns)

    monkeypatch.setattr(opened, "_batches", batches)
    assert [table["nickname"].tolist() for table in opened.tables("test")] == [["NA"]]
    assert read == ["part-1.parquet"]


def test_a_survey_counts_and_weighs(tmp_path: Path) -> None:
    rows = [
        {"nickname": "a", "avatar": "", "split": "train", "gender": g, "weight": w}
        for g, w in (("male", 3), ("female", 1))
    ]
    survey = Manifest(write(tmp_path, "csv", [*rows, *ROWS[1:]])).stats
    assert survey.rows == {"train": 2, "validation": 1, "test": 1}
    assert survey.prior_female == 0.25


def test_an_empty_split_is_named(tmp_path: Path) -> None:
    opened = Manifest(write(tmp_path, "csv", ROWS[:2]))
    opened.require_splits("train", "test")
    with pytest.raises(ManifestError, match=r"manifest\.csv: no rows in the split 'validation'"):
        opened.require_splits("train", "validation")


def test_bad_rows_are_skipped_up_to_a_share(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [ROWS[0] | {"nickname": f"secret {index}"} for index in range(100)]
    rows[7] |= {"gender": "unknown"}
    rows[70] |= {"weight": -1}
    opened = Manifest(write(tmp_path, "csv", rows), max_bad_rows=0.02)
    for _ in range(2):
        assert sum(map(len, opened.tables())) == 98
    assert opened.bad_rows.report() == {
        "rows": 2,
        "allowed": 2,
        "reasons": {
            "bad weight": {"rows": 1, "first": ["row 70: weight '-1.0', expected a number >= 0"]},
            "unknown gender": {"rows": 1, "first": ["row 7: gender 'unknown', expected one of male, female"]},
        },
    }
    assert [record.message.split("skipped ")[1].split(",")[0] for record in caplog.records] == [
        "unknown gender: row 7: gender 'unknown'",
        "bad weight: row 70: weight '-1.0'",
    ]
    assert "secret" not in caplog.text
    strict = Manifest(opened.file, max_bad_rows=0.01)
    with pytest.raises(
        ManifestError, match=r"more than 1 of 100 rows cannot be used: bad weight \(row 70.*; unknown gen"
    ):
        list(strict.tables())


def test_a_shard_is_named_with_its_own_row(tmp_path: Path) -> None:
    folder = shards(tmp_path / "shards", [*ROWS, ROWS[0] | {"gender": "?"}])
    with pytest.raises(ManifestError, match=r"row 0 of part-3\.parquet: gender '\?'"):
        read_manifest(folder)


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    folder = shards(tmp_path / "shards", ROWS)
    (folder / "part-1.parquet").write_bytes(b"nothing")
    with pytest.raises(ManifestError, match=r"shards: cannot be read: .*part-1\.parquet"):
        read_manifest(folder)
