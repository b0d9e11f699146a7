"""Whether two forms of one model answer alike."""

from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from genderprep.tensors import PROBABILITIES

Answers = dict[str, NDArray[np.float32]]

MAX_DIFFERENCE: Final = 1e-4


class NotEqual(RuntimeError):
    """The converted model answers differently; the message says by how much and what is allowed."""


def answer(onnx_model: bytes | str, inputs: dict[str, NDArray[Any]], batch: int = 32) -> Answers:
    """Run an ONNX model (its bytes or path) over all rows; returns every output by name."""
    session = onnxruntime.InferenceSession(onnx_model, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    rows = len(next(iter(inputs.values())))
    parts = [
        session.run(names, {name: array[start : start + batch] for name, array in inputs.items()})
        for start in range(0, rows, batch)
    ]
    return {name: np.concatenate([part[i] for part in parts]) for i, name in enumerate(names)}


def check_parity(expected: Answers, found: Answers, limit: float = MAX_DIFFERENCE) -> float:
    """The largest difference between the probabilities of two models.

    Raises:
        NotEqual: it is over `limit`.
    """
    worst = float(np.abs(expected[PROBABILITIES] - found[PROBABILITIES]).max())
    if not worst <= limit:
        raise NotEqual(f"probabilities differ by {worst:.2e}, at most {limit:.0e} is allowed")
    return worst
