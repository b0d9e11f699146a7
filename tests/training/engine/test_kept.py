"""Kept arrays are read for what they were computed from, and computed again for anything else."""

from pathlib import Path

import numpy as np

from training.arrays import Arrays
from training.engine.kept import kept


def test_arrays_are_kept_for_what_they_were_computed_from(tmp_path: Path) -> None:
    calls: list[str] = []

    def ask(computed_from: str) -> Arrays:
        def compute() -> Arrays:
            calls.append(computed_from)
            return {"x": np.full(2, len(calls), np.float16)}

        return kept(tmp_path / "folder" / "x.npz", computed_from, compute)

    answers = [ask("one"), ask("one"), ask("other"), ask("one")]
    assert [each["x"].tolist() for each in answers] == [[1, 1], [1, 1], [2, 2], [3, 3]]
    assert calls == ["one", "other", "one"]
    assert [each.keys() for each in answers] == [{"x"}] * 4
    assert {each["x"].dtype for each in answers} == {np.dtype(np.float16)}


def test_arrays_of_unknown_origin_are_computed_again(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.zeros(1))
    assert kept(tmp_path / "x.npz", "one", lambda: {"x": np.ones(1)})["x"] == 1
