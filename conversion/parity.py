"""Compare the outputs of two forms of one model."""

from typing import Final

import numpy as np
import onnxruntime

from training.arrays import Arrays

from .errors import ConversionError

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


def check_parity(expected: Arrays, actual: Arrays, *names: str) -> float:
    """Return the largest difference between the named outputs of two models, such as probabilities.

    Raises:
        ConversionError: It exceeds `MAX_DIFFERENCE`, or is NaN.
    """
    largest = float(np.max([np.abs(expected[name] - actual[name]).max() for name in names]))
    if not largest <= MAX_DIFFERENCE:
        raise ConversionError(
            f"{', '.join(names)}: expected outputs that differ by at most {MAX_DIFFERENCE:.0e}, got {largest:.2e}"
        )
    return largest
