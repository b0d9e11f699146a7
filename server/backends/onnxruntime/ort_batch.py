"""The requests of one execute call, run together as far as their shapes allow."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
Run = Callable[[list[str], Arrays], Arrays]  # wanted outputs, inputs → outputs


@dataclass(frozen=True)
class Job:
    """A request's inputs and the names of the outputs it asked for."""

    inputs: Arrays
    wanted: list[str]

    @property
    def rows(self) -> int:
        """How much of a batch it takes."""
        return int(next(iter(self.inputs.values())).shape[0])

    @property
    def row_shapes(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """What jobs must share to be concatenated."""
        return tuple((name, array.shape[1:]) for name, array in self.inputs.items())


def run_together(jobs: Sequence[Job], run: Run) -> list[Arrays | Exception]:
    """Run jobs that batch, one run for each set of row shapes, and give each its outputs or its own error."""
    groups: defaultdict[object, list[int]] = defaultdict(list)
    for index, job in enumerate(jobs):
        groups[job.row_shapes].append(index)
    outcomes: dict[int, Arrays | Exception] = {}
    for indices in groups.values():
        outcomes |= zip(indices, _run_group([jobs[index] for index in indices], run), strict=True)
    return [outcomes[index] for index in range(len(jobs))]


def run_alone(job: Job, run: Run) -> Arrays | Exception:
    """Run one job as it is."""
    try:
        return run(job.wanted, job.inputs)
    except Exception as error:  # whatever it is, it is this request's answer
        return error


def _run_group(jobs: list[Job], run: Run) -> Sequence[Arrays | Exception]:
    if len(jobs) > 1:
        try:
            return _run_batch(jobs, run)
        except Exception:  # someone in the batch is wrong: alone, each shows whether it is him
            pass
    return [run_alone(job, _rows_checked(job.rows, run)) for job in jobs]


def _run_batch(jobs: list[Job], run: Run) -> list[Arrays]:
    wanted = list(dict.fromkeys(name for job in jobs for name in job.wanted))
    inputs = {name: np.concatenate([job.inputs[name] for job in jobs]) for name in jobs[0].inputs}
    ends = np.cumsum([job.rows for job in jobs])
    outputs = _rows_checked(int(ends[-1]), run)(wanted, inputs)
    return [
        {name: outputs[name][end - job.rows : end] for name in job.wanted} for job, end in zip(jobs, ends, strict=True)
    ]


def _rows_checked(rows: int, run: Run) -> Run:
    """A run whose outputs must have as many rows as its inputs: nobody may get another one's."""

    def checked(wanted: list[str], inputs: Arrays) -> Arrays:
        outputs = run(wanted, inputs)
        for name, array in outputs.items():
            if array.shape[:1] != (rows,):
                raise RuntimeError(f"output '{name}' has shape {list(array.shape)} for a batch of {rows}")
        return outputs

    return checked
