"""Runs the requests of one `execute` call, in batches where their shapes allow it."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensors = dict[str, NDArray[Any]]
Run = Callable[[list[str], Tensors], Tensors]  # requested outputs, inputs → outputs


@dataclass(frozen=True)
class BatchItem:
    """The inputs of a request, `[rows, …]` each if the model batches, and the names of its requested outputs."""

    inputs: Tensors
    outputs: list[str]

    @property
    def rows(self) -> int:
        return int(next(iter(self.inputs.values())).shape[0])

    @property
    def row_shapes(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Names and shapes without rows. Items can be concatenated if these are equal."""
        return tuple((name, array.shape[1:]) for name, array in self.inputs.items())


def run_together(items: Sequence[BatchItem], run: Run) -> list[Tensors | Exception]:
    """Run items with one call for each set of row shapes, and return the outputs or the error of each item."""
    groups: defaultdict[object, list[int]] = defaultdict(list)
    for index, item in enumerate(items):
        groups[item.row_shapes].append(index)
    results: dict[int, Tensors | Exception] = {}
    for indices in groups.values():
        results |= zip(indices, _run_group([items[index] for index in indices], run), strict=True)
    return [results[index] for index in range(len(items))]


def run_alone(item: BatchItem, run: Run) -> Tensors | Exception:
    """Run one item as it is."""
    try:
        return run(item.outputs, item.inputs)
    except Exception as error:  # any failure becomes the response to this request
        return error


def _run_group(items: list[BatchItem], run: Run) -> Sequence[Tensors | Exception]:
    if len(items) > 1:
        try:
            return _run_batch(items, run)
        except Exception:  # at least one item is invalid; run each alone, so that only the invalid ones fail
            pass
    return [run_alone(item, _checking_rows(item.rows, run)) for item in items]


def _run_batch(items: list[BatchItem], run: Run) -> list[Tensors]:
    names = list(dict.fromkeys(name for item in items for name in item.outputs))
    inputs = {name: np.concatenate([item.inputs[name] for item in items]) for name in items[0].inputs}
    ends = np.cumsum([item.rows for item in items])
    outputs = _checking_rows(int(ends[-1]), run)(names, inputs)
    return [
        {name: outputs[name][end - item.rows : end] for name in item.outputs}
        for item, end in zip(items, ends, strict=True)
    ]


def _checking_rows(rows: int, run: Run) -> Run:
    """Require as many output rows as input rows: otherwise a request could receive the rows of another."""

    def checked(names: list[str], inputs: Tensors) -> Tensors:
        outputs = run(names, inputs)
        for name, array in outputs.items():
            if array.shape[:1] != (rows,):
                raise RuntimeError(f"output '{name}' has shape {list(array.shape)} for a batch of {rows}")
        return outputs

    return checked
