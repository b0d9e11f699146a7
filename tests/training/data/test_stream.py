"""Batches hold every row once a pass and do not depend on threads or on the first batch."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from genderprep.tensors import IMAGE, TOKENS
from tests.support.pictures import encode
from tests.support.training.users import user_table, write_shards
from training.data import stream
from training.data.batches import Preparation
from training.data.manifest import Manifest, ManifestError
from training.data.stream import Batch, BatchStream, prepare_chunks, rebatch, sample, shuffled_blocks
from training.synthetic.drawing import draw_portrait

HEAD = "nickname_only"


def manifest(folder: Path, count: int = 60, max_bad_rows: float = 0.01, **columns: list[Any]) -> Manifest:
    """Three shards of train users with weights 1, 2, 3, …, in row groups of 8."""
    defaults: dict[str, list[Any]] = {
        "nickname": [f"小宝{index}" for index in range(count)],
        "gender": ["male", "female"] * (count // 2),
        "weight": [*range(1, count + 1)],
        "split": ["train"] * count,
        "avatar": [None] * count,
    }
    return Manifest(write_shards(folder, user_table(**defaults | columns), 3, row_group_size=8), max_bad_rows)


def batches(rows: Manifest, first: int, number: int, batch: int = 7, **options: Any) -> list[Batch]:
    defaults: dict[str, Any] = {"inputs": (TOKENS,), "heads": {HEAD: 1}, "size": 32, "seed": 1}
    return list(BatchStream(rows, batch=batch, **defaults | options).batches(first, number))


def weights(batches: list[Batch]) -> list[float]:
    return [float(weight) for _, _, by_head in batches for weight in by_head[HEAD]]


def assert_same(first: list[Batch], second: list[Batch]) -> None:
    for left, right in zip(first, second, strict=True):
        for ours, theirs in zip(left, right, strict=True):
            assert ours.keys() == theirs.keys()
            for name in ours:
                np.testing.assert_array_equal(ours[name], theirs[name])


def test_pass_has_every_row_once_in_new_order(tmp_path: Path) -> None:
    rows = manifest(tmp_path)
    first, second = weights(batches(rows, 0, 8)), weights(batches(rows, 8, 8))
    assert len(set(first)) == len(set(second)) == 56
    assert first != second
    assert sorted(first) != first


def test_batch_does_not_depend_on_the_first_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = manifest(tmp_path)
    monkeypatch.setattr(stream, "BLOCK_ROWS", 20)
    all_batches = batches(rows, 0, 20)
    assert_same(all_batches[11:], batches(rows, 11, 9))
    assert weights(batches(rows, 0, 8, seed=2)) != weights(all_batches[:8])


def test_batch_does_not_depend_on_the_number_of_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = manifest(tmp_path)
    parallel = batches(rows, 0, 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert_same(parallel, batches(rows, 0, 8))


def test_each_pass_drops_other_tokens(tmp_path: Path) -> None:
    (first, _, one), (second, _, two) = batches(manifest(tmp_path), 0, 2, batch=60)
    order, other = np.argsort(one[HEAD]), np.argsort(two[HEAD])
    assert (first[TOKENS][order] != second[TOKENS][other]).any()


def test_blocks_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sizes() -> list[int]:
        blocks = shuffled_blocks(manifest(tmp_path), "train", ("nickname",), np.random.default_rng(0))
        return [len(table) for table in blocks]

    monkeypatch.setattr(stream, "BLOCK_ROWS", 10)
    assert sum(sizes()) == 60
    assert max(sizes()) <= 10 + 8
    monkeypatch.setattr(stream, "BLOCK_BYTES", 1)
    assert max(sizes()) <= 8


def test_rebatch_drops_the_rest() -> None:
    tables = [pd.DataFrame({"x": range(start, end)}) for start, end in ((0, 5), (5, 6), (6, 13))]
    assert [table["x"].tolist() for table in rebatch(tables, 4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


def test_broken_avatar_has_weight_0_and_shifts_no_batch(tmp_path: Path) -> None:
    avatars = [encode(draw_portrait("female", 1), "JPEG")] * 300
    avatars[41] = b"broken"
    rows = manifest(tmp_path, 300, avatar=avatars)
    assert sorted(weights(batches(rows, 0, 2, batch=150, inputs=(IMAGE, TOKENS)))) == [
        0,
        *range(1, 42),
        *range(43, 301),
    ]
    report = rows.bad_rows.report()
    assert report["rows"] == 1
    (row,) = report["reasons"]["broken avatar"]["first"]
    assert row.startswith("row 41 of part-0.parquet: AVATAR: not an image")


def test_too_many_bad_rows_raise_with_reasons(tmp_path: Path) -> None:
    users = BatchStream(manifest(tmp_path, avatar=["nowhere.jpg"] * 60), (IMAGE,), {HEAD: 1}, batch=7, seed=1, size=32)
    message = r"more than 0 of 60 rows cannot be used: unreadable avatar \(row \d+ of part-\d.parquet: No such file"
    with pytest.raises(ManifestError, match=message):
        list(users.batches(0, 8))
    assert isinstance(users.error, ManifestError)


def test_nickname_model_reads_no_avatar(tmp_path: Path) -> None:
    assert len(batches(manifest(tmp_path, avatar=["nowhere.jpg"] * 60), 0, 8)) == 8


def test_sample_is_bounded_and_of_one_split(tmp_path: Path) -> None:
    rows = manifest(tmp_path, split=["train", "validation"] * 30)
    table, users = sample(rows, "validation", 20, (TOKENS,), 32, seed=1)
    assert len(table) == len(users) == 20
    assert users.female.all()
    assert len(sample(rows, "validation", 1000, (TOKENS,), 32, seed=1)[0]) == 30
    with pytest.raises(ManifestError, match="no rows in the split 'test'"):
        sample(rows, "test", 20, (TOKENS,), 32, seed=1)


def test_chunks_keep_the_order_without_bad_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "CHUNK", 5)
    rows = manifest(tmp_path, max_bad_rows=0.1, avatar=[None] * 59 + ["nowhere.jpg"])
    chunks = list(prepare_chunks(rows.tables(), Preparation(rows.bad_rows, 32)))
    assert [int(weight) for table, _ in chunks for weight in table["weight"]] == [*range(1, 60)]
    assert all(len(table) == len(users) <= 5 for table, users in chunks)
