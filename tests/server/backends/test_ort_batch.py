"""How the backend shares runs between requests, without Triton around it."""

import importlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.tritonserver import ROOT

Arrays = dict[str, NDArray[Any]]


@pytest.fixture
def ort_batch(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module as Triton imports it: from a folder on `sys.path`."""
    monkeypatch.syspath_prepend(ROOT / "server" / "backends" / "onnxruntime")
    return importlib.import_module("ort_batch")


class Doubler:
    """A model that doubles X, gives its first column too, and fails on negative numbers; it notes its runs."""

    def __init__(self) -> None:
        self.runs: list[tuple[list[str], list[list[float]]]] = []

    def __call__(self, wanted: list[str], inputs: Arrays) -> Arrays:
        self.runs.append((wanted, inputs["X"].tolist()))
        if (inputs["X"] < 0).any():
            raise ValueError("negative")
        outputs = {"Y": 2 * inputs["X"], "FIRST": inputs["X"][:, :1]}
        return {name: outputs[name] for name in wanted}


def table(*rows: Sequence[float]) -> Arrays:
    return {"X": np.array(rows, np.float32)}


def test_same_shapes_share_one_run(ort_batch: ModuleType) -> None:
    model = Doubler()
    jobs = [ort_batch.Job(table([1]), ["Y"]), ort_batch.Job(table([2], [3]), ["Y"])]

    outcomes = ort_batch.run_together(jobs, model)

    assert [outcome["Y"].tolist() for outcome in outcomes] == [[[2]], [[4], [6]]]
    assert model.runs == [(["Y"], [[1], [2], [3]])]


def test_each_gets_the_outputs_it_wanted_and_no_other_is_computed(ort_batch: ModuleType) -> None:
    model = Doubler()
    jobs = [ort_batch.Job(table([1]), ["FIRST"]), ort_batch.Job(table([2]), ["FIRST"])]

    outcomes = ort_batch.run_together(jobs, model)

    assert [list(outcome) for outcome in outcomes] == [["FIRST"], ["FIRST"]]
    assert model.runs[0][0] == ["FIRST"]


def test_different_shapes_run_apart_and_keep_their_order(ort_batch: ModuleType) -> None:
    model = Doubler()
    jobs = [ort_batch.Job(table(row), ["Y"]) for row in ([1], [2, 3], [4])]

    outcomes = ort_batch.run_together(jobs, model)

    assert [outcome["Y"].tolist() for outcome in outcomes] == [[[2]], [[4, 6]], [[8]]]
    assert [inputs for _, inputs in model.runs] == [[[1], [4]], [[2, 3]]]


def test_only_the_culprit_fails(ort_batch: ModuleType) -> None:
    jobs = [ort_batch.Job(table([value]), ["Y"]) for value in (1, -1, 3)]

    good, bad, also_good = ort_batch.run_together(jobs, Doubler())

    assert (good["Y"].tolist(), also_good["Y"].tolist()) == ([[2]], [[6]])
    assert isinstance(bad, ValueError)


def test_one_job_is_run_on_its_own_arrays(ort_batch: ModuleType) -> None:
    inputs = table([1])
    seen: list[NDArray[Any]] = []

    def remember(wanted: list[str], given: Arrays) -> Arrays:
        seen.append(given["X"])
        return {"Y": given["X"]}

    ort_batch.run_together([ort_batch.Job(inputs, ["Y"])], remember)

    assert seen[0] is inputs["X"]
