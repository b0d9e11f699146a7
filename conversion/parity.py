"""Compare the outputs of two forms of one model."""

from typing import Final

import numpy as np
import onnxruntime

from genderprep.tensors import PROBABILITIES
from training.arrays import Arrays

from .errors import ConversionError as ConversionError

MAX_DIFFERENCE: Final = 1e-4


def run_onnx(model: bytes | str, inputs: Arrays, batch: int = 32) -> Arrays:
    """Run an ONNX model, given as bytes or as a path, on all rows."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    rows = len(next(iter(inputs.values())))
    parts = [
        session.run(names, {name: array[start : start + batch] for name, array in inputs.items()})
        for start in range(0, rows, batch)
    ]
    return {name: np.concatenate([part[i] for part in parts]) for i, name in enumerate(names)}


def check_parity(expected: Arrays, actual: Arrays, limit: float = MAX_DIFFERENCE) -> float:
    """Return the largest difference between the probabilities of two models.

    Raises:
        ConversionError: The difference exceeds `limit`, or is NaN.
    """
    largest = float(np.abs(expected[PROBABILITIES] - actual[PROBABILITIES]).max())
    if not largest <= limit:
        raise ConversionError(f"expected probabilities that differ by at most {limit:.0e}, got {largest:.2e}")
    return largest
