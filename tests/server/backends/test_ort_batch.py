"""How the backend batches requests, without Triton."""

import importlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.tritonserver import ROOT

Tensors = dict[str, NDArray[Any]]


@pytest.fixture
def ort_batch(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, imported from a folder on `sys.path` as Triton does."""
    monkeypatch.syspath_prepend(ROOT / "server" / "backends" / "onnxruntime")
    return importlib.import_module("ort_batch")


class Doubler:
    """A model with outputs Y = 2·X and FIRST, the first column of X. It records its runs."""

    def __init__(self) -> None:
        self.runs: list[tuple[list[str], list[list[float]]]] = []

    def __call__(self, names: list[str], inputs: Tensors) -> Tensors:
        self.runs.append((names, inputs["X"].tolist()))
        outputs = {"Y": 2 * inputs["X"], "FIRST": inputs["X"][:, :1]}
        return {name: outputs[name] for name in names}


def table(*rows: Sequence[float]) -> Tensors:
    return {"X": np.array(rows, np.float32)}


def test_items_of_equal_shape_share_one_run(ort_batch: ModuleType) -> None:
    model = Doubler()
    items = [ort_batch.BatchItem(table([1]), ["Y"]), ort_batch.BatchItem(table([2], [3]), ["Y"])]

    results = ort_batch.run_together(items, model)

    assert [result["Y"].tolist() for result in results] == [[[2]], [[4], [6]]]
    assert model.runs == [(["Y"], [[1], [2], [3]])]


def test_only_requested_outputs_are_computed(ort_batch: ModuleType) -> None:
    model = Doubler()
    items = [ort_batch.BatchItem(table([1]), ["FIRST"]), ort_batch.BatchItem(table([2]), ["FIRST"])]

    results = ort_batch.run_together(items, model)

    assert [list(result) for result in results] == [["FIRST"], ["FIRST"]]
    assert model.runs[0][0] == ["FIRST"]


def test_items_of_different_shape_run_separately_in_order(ort_batch: ModuleType) -> None:
    model = Doubler()
    items = [ort_batch.BatchItem(table(row), ["Y"]) for row in ([1], [2, 3], [4])]

    results = ort_batch.run_together(items, model)

    assert [result["Y"].tolist() for result in results] == [[[2]], [[4, 6]], [[8]]]
    assert [inputs for _, inputs in model.runs] == [[[1], [4]], [[2, 3]]]


def test_single_item_runs_without_a_copy(ort_batch: ModuleType) -> None:
    inputs = table([1])
    received: list[NDArray[Any]] = []

    def run(names: list[str], inputs: Tensors) -> Tensors:
        received.append(inputs["X"])
        return {"Y": inputs["X"]}

    ort_batch.run_together([ort_batch.BatchItem(inputs, ["Y"])], run)

    assert received[0] is inputs["X"]
