"""The stream: every row once a pass, the same batches wherever one starts, few rows in memory, bad ones left out."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from genderprep.tensors import IMAGE, TOKENS
from tests.support.pictures import encode
from training.data import stream as module
from training.data.batches import Preparation
from training.data.manifest import Manifest, ManifestError
from training.data.stream import Batch, BatchStream, prepare_chunks, rebatch, sample, shuffled_blocks
from training.synthetic.drawing import draw_portrait

HEADS = {"nickname_only": 1}


def shards(folder: Path, count: int = 60, **columns: list[Any]) -> Path:
    """Three shards of users whose weights are 1, 2, 3, … and who are all in `train`, in row groups of 8."""
    defaults: dict[str, list[Any]] = {
        "nickname": [f"小宝{index}" for index in range(count)],
        "avatar": [None] * count,
        "gender": ["male", "female"] * (count // 2),
        "weight": [*range(1, count + 1)],
        "split": ["train"] * count,
    }
    table = pd.DataFrame(defaults | columns)
    folder.mkdir(exist_ok=True)
    for index, part in enumerate(np.array_split(np.arange(count), 3)):
        table.iloc[part].to_parquet(folder / f"part-{index}.parquet", row_group_size=8)
    return folder


def stream(manifest: Path, batch: int = 7, seed: int = 1, **changes: Any) -> BatchStream:
    defaults: dict[str, Any] = {"inputs": (TOKENS,), "heads": HEADS, "batch": batch, "size": 32, "seed": seed}
    return BatchStream(Manifest(manifest), **defaults | changes)


def weights(batches: list[Batch]) -> list[float]:
    return [float(weight) for _, _, found in batches for weight in found["nickname_only"]]


def assert_same(first: list[Batch], second: list[Batch]) -> None:
    assert len(first) == len(second)
    for left, right in zip(first, second, strict=True):
        for ours, theirs in zip(left, right, strict=True):
            assert ours.keys() == theirs.keys()
            for name in ours:
                np.testing.assert_array_equal(ours[name], theirs[name])


def test_a_pass_shows_every_row_once_less_a_rest(tmp_path: Path) -> None:
    users = stream(shards(tmp_path))
    assert users.steps == 8
    first, second = weights(list(users.batches(0, 8))), weights(list(users.batches(8, 8)))
    assert len(set(first)) == len(set(second)) == 56
    assert first != second
    assert sorted(first) != first


def test_batches_are_the_same_wherever_one_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = shards(tmp_path)
    monkeypatch.setattr(module, "BLOCK_ROWS", 20)
    whole = list(stream(manifest).batches(0, 20))
    assert_same(whole[11:], list(stream(manifest).batches(11, 9)))
    assert weights(list(stream(manifest, seed=2).batches(0, 8))) != weights(whole[:8])


def test_the_number_of_threads_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = shards(tmp_path)
    many = list(stream(manifest).batches(0, 8))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert_same(many, list(stream(manifest).batches(0, 8)))


def test_tokens_are_dropped_anew_in_each_pass(tmp_path: Path) -> None:
    users = stream(shards(tmp_path), batch=60)
    (first, _, one), (second, _, two) = users.batches(0, 2)
    order, other = np.argsort(one["nickname_only"]), np.argsort(two["nickname_only"])
    assert (first[TOKENS][order] != second[TOKENS][other]).any()


def test_a_block_is_no_larger_than_it_has_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = Manifest(shards(tmp_path))
    monkeypatch.setattr(module, "BLOCK_ROWS", 10)
    sizes = [len(table) for table in shuffled_blocks(manifest, "train", ("nickname",), np.random.default_rng(0))]
    assert sum(sizes) == 60
    assert max(sizes) <= 10 + 8
    monkeypatch.setattr(module, "BLOCK_BYTES", 1)
    assert max(map(len, shuffled_blocks(manifest, "train", ("nickname",), np.random.default_rng(0)))) <= 8


def test_tables_of_one_size() -> None:
    tables = [pd.DataFrame({"x": range(start, end)}) for start, end in ((0, 5), (5, 6), (6, 13))]
    assert [table["x"].tolist() for table in rebatch(tables, 4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


def test_a_broken_avatar_takes_no_part_and_shifts_nothing(tmp_path: Path) -> None:
    picture = encode(draw_portrait("female", 1), "JPEG")
    broken = 41
    avatars = [picture] * 300
    avatars[broken] = b"broken"
    users = stream(shards(tmp_path / "broken", 300, avatar=avatars), batch=150, inputs=(IMAGE, TOKENS))
    found = list(users.batches(0, 2))
    assert sorted(weights(found)) == sorted({0.0, *range(1, 301)} - {float(broken + 1)})
    (row,) = users.manifest.bad_rows.report()["reasons"]["broken avatar"]["first"]
    assert row.startswith("row 41 of part-0.parquet: AVATAR: not an image")
    assert users.manifest.bad_rows.report()["rows"] == 1


def test_too_many_bad_rows_end_it_with_their_reasons(tmp_path: Path) -> None:
    users = stream(shards(tmp_path, avatar=["nowhere.jpg"] * 60), inputs=(IMAGE,))
    message = r"more than 0 of 60 rows cannot be used: unreadable avatar \(row \d+ of part-\d.parquet: No such file"
    with pytest.raises(ManifestError, match=message):
        list(users.batches(0, 8))
    assert isinstance(users.error, ManifestError)


def test_a_model_of_nicknames_reads_no_avatar(tmp_path: Path) -> None:
    assert len(list(stream(shards(tmp_path, avatar=["nowhere.jpg"] * 60)).batches(0, 8))) == 8


def test_a_sample_is_of_one_split_and_bounded(tmp_path: Path) -> None:
    manifest = Manifest(shards(tmp_path, split=["train", "validation"] * 30))
    table, users = sample(manifest, "validation", 20, (TOKENS,), 32, seed=1)
    assert len(table) == len(users) == 20
    assert users.female.all()
    assert len(sample(manifest, "validation", 1000, (TOKENS,), 32, seed=1)[0]) == 30
    with pytest.raises(ManifestError, match="no rows in the split 'test'"):
        sample(manifest, "test", 20, (TOKENS,), 32, seed=1)


def test_chunks_keep_the_order_and_leave_bad_rows_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 5)
    manifest = Manifest(shards(tmp_path, avatar=[None] * 59 + ["nowhere.jpg"]), max_bad_rows=0.1)
    parts = list(prepare_chunks(manifest.tables(), Preparation(manifest.bad_rows, 32)))
    assert [int(weight) for table, _ in parts for weight in table["weight"]] == [*range(1, 60)]
    assert all(len(table) == len(users) <= 5 for table, users in parts)
