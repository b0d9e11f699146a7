"""The publish gate: compare a new int8 model with the version that is served, on the same held-out users."""

import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime

from genderprep.digest import METADATA_KEY
from genderprep.tensors import IMAGE, PRESENT, PROBABILITIES, TOKENS
from training.arrays import Arrays, FloatsN
from training.data.batches import Users
from training.evaluation.metrics import Summary, summary

from .export import read_metadata
from .parity import ConversionError, run_onnx

# How much worse than the served version a new version may be.
MAX_LOSS: Final = {"accuracy": 0.01, "auc": 0.01, "recall_male": 0.03, "recall_female": 0.03}
MAX_ECE_GAIN: Final = 0.02
MAX_LATENCY_RATIO: Final = 1.25
_WARMUP, _ROUNDS = 5, 50


def compare(served: Path, int8: bytes, users: Users, p_female: FloatsN, prep_digest: str) -> dict[str, Any]:
    """Return the metrics and the median latency of both models, and in what the new one is worse than allowed.

    Args:
        served: The ONNX file of the served version.
        int8: The new model.
        users: Held-out users, prepared with the preprocessing of the new model.
        p_female: P(female) of the new model for these users.
        prep_digest: The preprocessing of the new model.

    Raises:
        FileNotFoundError: The served version is not on disk.
    """
    if not served.is_file():
        raise FileNotFoundError(f"{served} is served but not on disk; restore it, or roll back to a version on disk")
    inputs, labels = users.inputs((IMAGE, TOKENS, PRESENT)), users.female[:, 0]
    before = summary(labels, run_onnx(str(served), inputs)[PROBABILITIES][:, 1])
    after = summary(labels, p_female)
    before["latency_p50_ms"], after["latency_p50_ms"] = alternating_latency(str(served), int8, inputs)
    faults = regressions(before, after)
    if read_metadata(served).get(METADATA_KEY) != prep_digest:
        faults.append("the served version has another preprocessing, so its figures are not comparable")
    return {"version": int(served.parent.name), "served": before, "new": after, "regressions": faults}


def check(comparison: dict[str, Any]) -> None:
    """Raise ConversionError if the new version is worse than the served one."""
    if comparison["regressions"]:
        raise ConversionError(
            f"expected a version no worse than the served version {comparison['version']} on the same "
            f"{comparison['new']['users']} users, got {'; '.join(comparison['regressions'])}; "
            f"improve the model, or pass --force"
        )


def regressions(served: Summary, new: Summary) -> list[str]:
    """Describe every metric in which `new` is worse than `served` by more than its tolerance."""
    limits = {name: (-1, loss) for name, loss in MAX_LOSS.items()} | {"ece": (1, MAX_ECE_GAIN)}
    faults = []
    for name, (worse, tolerance) in limits.items():
        before, after = served[name], new[name]
        if before is None or after is None:
            faults.append(f"no {name}, because the held-out users lack a gender")
        # Metrics have four decimals.
        elif round(worse * (after - before), 4) > tolerance:
            faults.append(f"{name} {after:.3f} against {before:.3f} (tolerance {tolerance})")
    before, after = served["latency_p50_ms"], new["latency_p50_ms"]
    if after > MAX_LATENCY_RATIO * before:
        faults.append(f"latency p50 {after:.1f} ms against {before:.1f} ms (tolerance {MAX_LATENCY_RATIO - 1:.0%})")
    return faults


def alternating_latency(served: str | bytes, new: str | bytes, inputs: Arrays) -> tuple[float, float]:
    """Return the median milliseconds of both models for one user on one thread; their calls alternate."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    sessions = [onnxruntime.InferenceSession(m, options, providers=["CPUExecutionProvider"]) for m in (served, new)]
    one = {name: array[:1] for name, array in inputs.items()}
    seconds = np.empty((_WARMUP + _ROUNDS, len(sessions)))
    for row in seconds:
        for index, session in enumerate(sessions):
            start = time.perf_counter()
            session.run([PROBABILITIES], one)
            row[index] = time.perf_counter() - start
    before, after = np.median(seconds[_WARMUP:], axis=0) * 1000
    return round(float(before), 2), round(float(after), 2)
