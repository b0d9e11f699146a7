"""The further columns of a table are kept, with the values of their rows."""

import datetime
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genderclient.tables import TableError
from tests.client.tables.conftest import Score
from tests.support.client.tables import Row, read_table, write_table

DAY = datetime.date(2026, 1, 2)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("output", ["csv", "jsonl", "parquet"])
def test_kept_columns_follow_their_rows(score: Score, tmp_path: Path, suffix: str, output: str) -> None:
    users = [{"city": str(n), "avatar": "gone.jpg" if n % 3 == 1 else "", "uid": f"u{n}"} for n in range(1200)]
    score(write_table(tmp_path / f"users.{suffix}", users), tmp_path / f"out.{output}", id="uid")
    rows = read_table(tmp_path / f"out.{output}")
    assert [(int(row["row"]), row["id"], row["city"]) for row in rows] == [
        (n, f"u{n}", str(n)) for n in range(1200) if n % 3 != 1
    ]
    assert not {"nickname", "avatar", "uid"} & {*rows[0]}


@pytest.mark.parametrize(
    ("output", "values"),
    [
        ("parquet", {"age": 7, "day": DAY, "tags": ["a"], "city": None}),
        ("jsonl", {"age": 7, "day": "2026-01-02", "tags": ["a"], "city": None}),
        ("csv", {"age": "7", "day": "2026-01-02", "tags": '["a"]', "city": ""}),
    ],
)
def test_values_keep_their_types(score: Score, tmp_path: Path, output: str, values: dict[str, Any]) -> None:
    table = pa.table(
        {"nickname": ["x"], "age": [7], "day": [DAY], "tags": [["a"]], "city": pa.array([None], pa.string())}
    )
    pq.write_table(table, tmp_path / "users.parquet")
    score(tmp_path / "users.parquet", tmp_path / f"out.{output}")
    (row,) = read_table(tmp_path / f"out.{output}")
    assert {name: row[name] for name in values} == values


def test_nanoseconds_are_dropped(score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)  # with it, Arrow has a type for them
    times = pa.array([1_700_000_000_123_456_789, None], pa.timestamp("ns", "UTC"))
    pq.write_table(pa.table({"nickname": ["x", "y"], "seen": times}), tmp_path / "users.parquet")
    score(tmp_path / "users.parquet", tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet")["seen"].cast(pa.int64()).to_pylist() == [
        1_700_000_000_123_456_000,
        None,
    ]


def test_json_values_are_text_in_parquet(score: Score, tmp_path: Path) -> None:
    users: list[Row] = [
        {"nickname": "a", "mixed": 1},
        {"nickname": "b", "mixed": "x"},
        {"nickname": "c", "mixed": {"y": None}},
    ]
    score(write_table(tmp_path / "users.jsonl", users), tmp_path / "out.parquet")
    assert [row["mixed"] for row in read_table(tmp_path / "out.parquet")] == ["1", "x", '{"y": null}']


def test_shards_may_have_different_further_columns(score: Score, tmp_path: Path) -> None:
    write_table(tmp_path / "0.parquet", [{"nickname": "a", "city": "x", "age": 1}])
    write_table(tmp_path / "1.parquet", [{"age": 2.5, "nickname": "b"}])
    score(tmp_path, tmp_path / "out.jsonl")
    assert [(row["city"], row["age"]) for row in read_table(tmp_path / "out.jsonl")] == [("x", 1), (None, 2.5)]


def test_shard_without_further_columns_does_not_take_those_of_the_next(score: Score, tmp_path: Path) -> None:
    write_table(tmp_path / "0.parquet", [{"nickname": "a"}, {"nickname": "b"}])
    write_table(tmp_path / "1.parquet", [{"nickname": "c", "city": "x"}, {"nickname": "d", "city": "y"}])
    score(tmp_path, tmp_path / "out.jsonl")
    assert [row["city"] for row in read_table(tmp_path / "out.jsonl")] == [None, None, "x", "y"]


@pytest.mark.parametrize("output", ["out.csv", "out.jsonl", "out.csv.gz", "out.parquet"])
def test_half_a_character_in_json_becomes_a_question_mark(score: Score, tmp_path: Path, output: str) -> None:
    (tmp_path / "users.jsonl").write_text(r'{"nickname": "a", "bio": "caf\ud83d", "uid": "1\ud83d"}' + "\n")
    assert score(tmp_path / "users.jsonl", tmp_path / output, id="uid").succeeded == 1
    (row,) = read_table(tmp_path / output)
    assert (row["bio"], row["id"]) == ("caf?", "1?")


def test_incompatible_shards_are_refused(score: Score, tmp_path: Path) -> None:
    write_table(tmp_path / "0.parquet", [{"nickname": "a", "age": "one"}])
    write_table(tmp_path / "1.parquet", [{"nickname": "b", "age": 2}])
    with pytest.raises(TableError, match="different types"):
        score(tmp_path, tmp_path / "out.jsonl")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_column_with_name_of_result_is_renamed(score: Score, tmp_path: Path, suffix: str) -> None:
    users = write_table(tmp_path / f"users.{suffix}", [{"nickname": "x", "gender": "label", "id": "7", "row": "8"}])
    score(users)
    (row,) = read_table(tmp_path / "out.jsonl")
    assert (row["row"], row["id"], row["gender"]) == (0, None, "male")
    assert (row["input_row"], row["input_id"], row["input_gender"]) == ("8", "7", "label")


def test_colliding_names_are_refused(score: Score, tmp_path: Path) -> None:
    users = write_table(tmp_path / "users.csv", [{"nickname": "x", "gender": "a", "input_gender": "b"}])
    with pytest.raises(TableError, match="same name in the output"):
        score(users)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_columns_of_one_name_are_refused(score: Score, tmp_path: Path, suffix: str) -> None:
    users = tmp_path / f"users.{suffix}"
    if suffix == "csv":
        users.write_text("nickname,city,city\nx,a,b\n")
    else:
        pq.write_table(pa.table([["x"], ["a"], ["b"]], ["nickname", "city", "city"]), users)
    with pytest.raises(TableError, match="same name in the output"):
        score(users)


def test_empty_columns_of_a_spreadsheet_are_accepted(score: Score, tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("nickname,,\nx,,\n")
    assert score(tmp_path / "users.csv").succeeded == 1


def test_columns_of_bytes_are_not_kept(score: Score, tmp_path: Path) -> None:
    image = {"bytes": b"secret", "path": "a"}
    users = write_table(tmp_path / "users.parquet", [{"nickname": "x", "image": image, "raw": b"secret", "city": "y"}])
    score(users)
    (row,) = read_table(tmp_path / "out.jsonl")
    assert (row["city"], {"image", "raw"} & {*row}) == ("y", set())
