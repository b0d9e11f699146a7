"""Manifests: all file types, defaults, bad rows, and errors that name the file and the row."""

import traceback
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.training.users import write_shards
from training.data.arrow import Piece
from training.data.manifest import SPLITS, Manifest, ManifestError, read_manifest, split_of, write_manifest

Row = dict[str, object]
COLUMNS = ("nickname", "avatar", "gender", "split", "weight", "source", "p_female")
ROWS: list[Row] = [
    dict(zip(COLUMNS, values, strict=True))
    for values in (
        ("007", "", "male", "train", 2.5, "a", 0.25),
        ("NA", "images/1.jpg", "female", "test", 1, "", 0.5),
        ("", "images/2.jpg", "female", "validation", 0, "b", 1.0),
    )
]


def write(folder: Path, kind: str, rows: list[Row]) -> Path:
    file, table = folder / f"manifest.{kind}", pd.DataFrame(rows)
    match kind:
        case "csv":
            table.to_csv(file, index=False)
        case "jsonl":
            table.to_json(file, orient="records", lines=True)
        case "parquet":
            table.to_parquet(file)
    return file


def without(*columns: str, rows: list[Row] = ROWS) -> list[Row]:
    return [{key: value for key, value in row.items() if key not in columns} for row in rows]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_file_types_are_equivalent(tmp_path: Path, kind: str) -> None:
    rows = read_manifest(write(tmp_path, kind, ROWS)).to_dict("records")
    assert rows == [row | {"avatar": str(tmp_path / str(row["avatar"])) if row["avatar"] else ""} for row in ROWS]


def test_written_manifest_is_read_back(tmp_path: Path) -> None:
    assert read_manifest(write_manifest(ROWS, tmp_path / "a.csv"))["nickname"].tolist() == ["007", "NA", ""]


def test_optional_columns_have_defaults(tmp_path: Path) -> None:
    table = read_manifest(write(tmp_path, "csv", without("split", "weight", "source", "p_female")))
    assert table["split"].tolist() == [split_of(key) for key in ("007", "images/1.jpg", "images/2.jpg")]
    assert table["weight"].tolist() == [1.0, 1.0, 1.0]
    assert table["source"].tolist() == ["", "", ""]
    assert table["p_female"].tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_row_without_soft_label_has_its_label(tmp_path: Path, kind: str) -> None:
    rows = [ROWS[0], ROWS[1] | {"p_female": None}]
    assert read_manifest(write(tmp_path, kind, rows))["p_female"].tolist() == [0.25, 1.0]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_null_is_missing(tmp_path: Path, kind: str) -> None:
    rows: list[Row] = [
        {"nickname": None, "avatar": "1.jpg", "gender": "male"},
        {"nickname": "小宝", "avatar": None, "gender": "male"},
    ]
    table = read_manifest(write(tmp_path, kind, rows))
    assert table["nickname"].tolist() == ["", "小宝"]
    assert table["avatar"].tolist() == [str(tmp_path / "1.jpg"), ""]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (without("gender"), "expected the columns nickname, avatar, gender, missing gender"),
        (without("nickname", "avatar"), "missing nickname, avatar"),
        ([ROWS[0], ROWS[1] | {"gender": "Female"}], "unknown gender (row 1: expected one of male, female)"),
        ([ROWS[0] | {"split": "dev"}], "unknown split (row 0: expected one of train, validation, test)"),
        ([ROWS[0], ROWS[1] | {"weight": "heavy"}], "bad weight (row 1: expected a number >= 0)"),
        ([ROWS[0] | {"weight": -1.0}], "bad weight (row 0: expected a number >= 0)"),
        ([ROWS[0] | {"weight": ""}], "expected a number >= 0"),
        ([ROWS[0], ROWS[1] | {"p_female": "likely"}], "bad soft label (row 1: expected p_female between 0 and 1)"),
        ([ROWS[0] | {"p_female": 1.5}], "bad soft label (row 0: expected p_female between 0 and 1)"),
    ],
)
def test_error_names_the_wrong_content(tmp_path: Path, rows: list[Row], message: str) -> None:
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
        ("folder/a.csv", "", r"a folder of \.parquet files"),
    ],
)
def test_error_names_the_unreadable_file(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(content)
    with pytest.raises(ManifestError, match=message):
        read_manifest(tmp_path / name.split("/")[0])


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_missing_manifest(tmp_path: Path, kind: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"no manifest .*synthesize` writes an example"):
        read_manifest(tmp_path / f"nothing.{kind}")


def test_split_of_an_identity_is_stable() -> None:
    splits = [split_of(key) for key in ("a", "drawn/1000000", "p", "微信", "f")]
    assert splits == ["test", "train", "validation", "train", "test"]
    counts = Counter(split_of(f"user/{index}") for index in range(10_000))
    assert [round(counts[split] / 1000) for split in SPLITS] == [8, 1, 1]


def test_split_does_not_depend_on_the_folder(tmp_path: Path) -> None:
    rows: list[Row] = [{"nickname": "", "avatar": f"{i}.jpg", "gender": "male"} for i in range(50)]
    folders = [tmp_path / "a", tmp_path / "b" / "c"]
    for folder in folders:
        folder.mkdir(parents=True)
    first, second = (read_manifest(write(folder, "csv", rows))["split"].tolist() for folder in folders)
    assert first == second
    assert set(first) == set(SPLITS)


def test_shards_are_equivalent_to_one_file(tmp_path: Path) -> None:
    table = read_manifest(write_shards(tmp_path / "shards", pd.DataFrame(ROWS), 3))
    assert table.index.tolist() == [0, 1, 2]
    expected = read_manifest(write(tmp_path, "parquet", ROWS))
    assert table.drop(columns="avatar").equals(expected.drop(columns="avatar"))
    assert table["avatar"].tolist()[1] == str(tmp_path / "shards" / "images" / "1.jpg")


def test_avatars_may_be_bytes(tmp_path: Path) -> None:
    rows = [row | {"avatar": f"image {i}".encode()} for i, row in enumerate(ROWS)]
    table = read_manifest(write(tmp_path, "parquet", rows))
    assert table["avatar"].tolist() == [b"image 0", b"image 1", b"image 2"]
    hashed = read_manifest(write(tmp_path, "parquet", without("split", rows=rows)))
    assert hashed["split"].tolist() == [split_of(f"image {i}") for i in range(3)]


def test_only_the_named_columns_are_read(tmp_path: Path) -> None:
    (table,) = Manifest(write(tmp_path, "parquet", ROWS)).tables("train", columns=("nickname",))
    assert set(table) == {"nickname", "gender", "split", "weight", "source", "p_female"}
    assert table["nickname"].tolist() == ["007"]


def test_row_group_of_another_split_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = Manifest(write_shards(tmp_path, pd.DataFrame(ROWS), 3))
    read: list[str] = []

    def batches(piece: Piece, columns: Collection[str] | None) -> Iterator[pa.RecordBatch]:
        read.append(piece.file)
        return Manifest._batches(manifest, piece, columns)

    monkeypatch.setattr(manifest, "_batches", batches)
    assert [table["nickname"].tolist() for table in manifest.tables("test")] == [["NA"]]
    assert read == ["part-1.parquet"]


def test_stats_count_rows_and_weigh_genders(tmp_path: Path) -> None:
    train = [ROWS[0] | {"gender": "male", "weight": 3}, ROWS[0] | {"gender": "female", "weight": 1}]
    stats = Manifest(write(tmp_path, "csv", [*train, *ROWS[1:]])).stats
    assert stats.rows == {"train": 2, "validation": 1, "test": 1}
    assert stats.prior_female == 0.25


@pytest.mark.parametrize(("label", "counts"), [("male", "0 female, 2 male"), ("female", "2 female, 0 male")])
def test_split_of_one_label_is_refused_with_counts(tmp_path: Path, label: str, counts: str) -> None:
    both = [ROWS[0], ROWS[0] | {"gender": "female"}]
    only = [row | {"gender": label, "split": "validation"} for row in both]
    unweighted = [ROWS[0] | {"gender": each, "split": "validation", "weight": 0} for each in ("male", "female")]
    manifest = Manifest(write(tmp_path, "csv", [*both, *only, *unweighted]))
    manifest.require_splits("train")
    with pytest.raises(ManifestError, match=f"got train: 1 female, 1 male; validation: {counts}"):
        manifest.require_splits("train", "validation")


def test_empty_split_is_named(tmp_path: Path) -> None:
    manifest = Manifest(write(tmp_path, "csv", [*ROWS[:2], ROWS[0] | {"gender": "female"}]))
    manifest.require_splits("train")
    with pytest.raises(ManifestError, match=r"manifest\.csv: no rows in the split 'validation'"):
        manifest.require_splits("train", "validation")


def test_bad_rows_are_skipped_up_to_a_share(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [ROWS[0] | {"nickname": f"secret {index}"} for index in range(100)]
    rows[7] |= {"gender": "unknown"}
    rows[70] |= {"weight": -1}
    manifest = Manifest(write(tmp_path, "csv", rows), max_bad_rows=0.02)
    for _ in range(2):
        assert sum(map(len, manifest.tables())) == 98
    assert manifest.bad_rows.report() == {
        "rows": 2,
        "allowed": 2,
        "reasons": {
            "bad weight": {"rows": 1, "first": ["row 70: expected a number >= 0"]},
            "unknown gender": {"rows": 1, "first": ["row 7: expected one of male, female"]},
        },
    }
    assert [record.message.split("skipped ")[1] for record in caplog.records] == [
        "unknown gender: row 7: expected one of male, female",
        "bad weight: row 70: expected a number >= 0",
    ]
    assert "secret" not in caplog.text
    strict = Manifest(manifest.file, max_bad_rows=0.01)
    message = r"more than 1 of 100 rows cannot be used: bad weight \(row 70.*; unknown gen"
    with pytest.raises(ManifestError, match=message):
        list(strict.tables())


def test_bad_row_is_named_by_its_shard(tmp_path: Path) -> None:
    folder = write_shards(tmp_path, pd.DataFrame([*ROWS, ROWS[0] | {"gender": "?"}]), 4)
    with pytest.raises(ManifestError, match=r"row 0 of part-3\.parquet: expected one of male, female"):
        read_manifest(folder)


SECRET = "婷婷Secret"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", f"nickname,avatar,gender\na,b,male\n{SECRET},{SECRET}\n", "Row #3: Expected 3 columns, got 2"),
        (
            "a.csv",
            "nickname,avatar,gender,age\n" + "a,b,male,1\n" * 200_000 + f"{SECRET},b,male,{SECRET}\n",
            "column #3",
        ),
        ("a.csv", f"{SECRET},{SECRET},male\na,b,male\n", "multiple columns"),
        ("a.csv", f"{SECRET},b,male\na,b,male\n", "missing nickname, avatar, gender"),
        ("a.csv", f"nickname,avatar,gender\nb,male,{SECRET}\n", "unknown gender"),
        ("a.csv", f"nickname,avatar,gender,split\na,b,male,{SECRET}\n", "unknown split"),
        ("a.csv", f"nickname,avatar,gender,weight\na,b,male,{SECRET}\n", "bad weight"),
        ("a.jsonl", f'{{"nickname": "{SECRET}", "avatar": "", "gender": "male"\n', "JSON parse error"),
        ("a.jsonl", f'{{"nickname": "a", "{SECRET}": 1}}\n{{"nickname": "a", "{SECRET}": "x"}}\n', "in row 1"),
    ],
)
def test_error_and_its_traceback_hold_no_content(tmp_path: Path, name: str, content: str, reason: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ManifestError, match=reason) as error:
        read_manifest(tmp_path / name)
    assert SECRET not in "".join(traceback.format_exception(error.value, chain=True))
    assert error.value.__cause__ is error.value.__context__ is None


@pytest.mark.parametrize(
    "column",
    [
        {"nickname": [SECRET.encode("utf-16")]},
        {"avatar": [{"bytes": b"", "path": SECRET}]},
        {"gender": [[SECRET]]},
    ],
)
def test_error_of_a_parquet_type_holds_no_content(tmp_path: Path, column: dict[str, Any]) -> None:
    file = tmp_path / "a.parquet"
    columns = {"nickname": [SECRET], "avatar": [SECRET], "gender": ["male"], "split": ["train"], **column}
    pq.write_table(pa.table(columns), file)
    with pytest.raises(ManifestError) as error:
        read_manifest(file)
    assert SECRET not in "".join(traceback.format_exception(error.value))
    assert error.value.__cause__ is error.value.__context__ is None


def test_further_column_of_times_is_read(tmp_path: Path) -> None:
    far = pa.array([datetime(9999, 1, 1)], pa.timestamp("s")).cast(pa.timestamp("us"))
    columns = {"nickname": ["a"], "avatar": [""], "gender": ["male"], "split": ["train"], "extra": far}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert read_manifest(tmp_path / "a.parquet")["nickname"].tolist() == ["a"]


def test_hidden_shards_are_skipped(tmp_path: Path) -> None:
    folder = write_shards(tmp_path / ".hidden above" / "shards", pd.DataFrame(ROWS), 3)
    for name in ("._part-0.parquet", ".cache/a.parquet", "_temporary/0/a.parquet"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"Mac OS X")
    (folder / "nested.parquet").mkdir()
    assert read_manifest(folder)["nickname"].tolist() == ["007", "NA", ""]
    for shard in folder.glob("part-*.parquet"):
        shard.unlink()
    with pytest.raises(ManifestError, match=r"expected .*a folder of \.parquet files"):
        read_manifest(folder)


def test_damaged_shard_is_named(tmp_path: Path) -> None:
    folder = write_shards(tmp_path / "shards", pd.DataFrame(ROWS), 3)
    (folder / "part-1.parquet").write_bytes(b"nothing")
    with pytest.raises(ManifestError, match=r"shards: cannot be read: .*part-1\.parquet"):
        read_manifest(folder)
