"""However vectors are distributed, training equals training in one place, and every byte is counted."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.ranking.ams.jobs import COMPRESSION, DIMS, ROWS, UNITS, Files, train_in_one_place, write_files
from training.ranking.ams import cost
from training.ranking.ams.job import Job, Layout
from training.ranking.ams.samples import read_samples

SERVERS = 3


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return write_files(tmp_path_factory.mktemp("ams"))


@pytest.fixture(scope="module")
def expected(files: Files) -> tuple[list[float], Any, Any]:
    return train_in_one_place(files, COMPRESSION.initial(0))


@pytest.mark.parametrize(
    ("layout", "deduplicate"), [*product(Layout, (False, True))], ids=lambda value: str(value).lower()
)
def test_training_equals_training_in_one_place(
    layout: Layout, deduplicate: bool, files: Files, expected: tuple[list[float], Any, Any]
) -> None:
    trainer = Job(layout, files.vectors, files.samples, COMPRESSION, SERVERS, deduplicate).start()
    losses = [trainer.step(rows) for rows in ROWS]
    np.testing.assert_allclose(losses, expected[0], atol=1e-5)
    np.testing.assert_allclose(trainer.compressor(), expected[1], atol=1e-5)
    np.testing.assert_allclose(trainer.towers.theta, expected[2], atol=1e-5)
    assert np.abs(trainer.compressor() - COMPRESSION.initial(0)).max() > 1e-3


def pictures_asked(files: Files, deduplicate: bool) -> int:
    """References to pictures in all steps, or distinct pictures of each worker's batches."""
    samples = [read_samples(file) for file in files.samples]
    asked = [each.take(part).pictures() for rows in ROWS for each, part in zip(samples, rows, strict=True)]
    return sum(len(np.unique(ids)) if deduplicate else len(ids) for ids in asked)


@pytest.mark.parametrize("deduplicate", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_meter_equals_formula(deduplicate: bool, dtype: str, tmp_path: Path) -> None:
    files = write_files(tmp_path, dtype)
    pictures = pictures_asked(files, deduplicate)
    towers = sum(cost.towers(len(rows), sum(map(len, rows)), UNITS[-1]) for rows in ROWS)
    ids, steps = cost.picture_ids(pictures), len(ROWS)
    of_workers = steps * cost.all_reduce(len(files.samples), COMPRESSION.parameters)
    raw = cost.raw_vectors(pictures, DIMS, np.dtype(dtype).itemsize)
    of_servers = steps * cost.all_reduce(SERVERS, COMPRESSION.parameters)
    compressed = cost.compressed_vectors(pictures, UNITS[-1])
    assert measured(Layout.SAMPLES, files, deduplicate) == {"compute": towers, "all-reduce": of_workers}
    assert measured(Layout.RAW, files, deduplicate) == {
        "compute": towers, "all-reduce": of_workers, "vectors": ids + raw
    }  # fmt: skip
    assert measured(Layout.AMS, files, deduplicate) == {
        "compute": towers, "all-reduce": of_servers, "embed": ids + compressed // 2, "update": compressed // 2
    }  # fmt: skip


def measured(layout: Layout, files: Files, deduplicate: bool) -> dict[str, int]:
    trainer = Job(layout, files.vectors, files.samples, COMPRESSION, SERVERS, deduplicate).start()
    for rows in ROWS:
        trainer.step(rows)
    return trainer.metered().by_kind()


def test_servers_without_all_reduce_would_differ(files: Files, expected: tuple[list[float], Any, Any]) -> None:
    trainer = Job(Layout.AMS, files.vectors, files.samples, COMPRESSION, SERVERS).start()
    for replica in trainer._replicas:
        replica._part.reduce = lambda _ticket, _names, *parts: parts[0]  # type: ignore[attr-defined]
    for rows in ROWS:
        trainer.step(rows)
    assert np.abs(trainer.compressor() - expected[1]).max() > 1e-4
