"""The publish gate: compare a new int8 model with the version that is served, on the same held-out users.

Each version gets the users as its own preprocessing prepares them.
"""

import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnxruntime

from genderprep.tensors import LABELS, PROBABILITIES
from training.arrays import Arrays, FloatsN
from training.evaluation.metrics import Summary, summary

from .parity import run_onnx

# How much worse than the served version a new version may be.
MAX_LOSS: Final = {"accuracy": 0.01, "auc": 0.01, "recall_male": 0.03, "recall_female": 0.03}
MAX_ECE_GAIN: Final = 0.02
# Recalls count the users with at least this probability. Whom nothing is known of has nearly one half, and a constant
# of the calibration turns all of them to one side at once.
DECIDED: Final = 0.55
MAX_LATENCY_RATIO: Final = 1.25
_WARMUP, _ROUNDS = 5, 50


@dataclass(frozen=True)
class Prepared:
    """A model, as a path or as bytes, and the inputs that its preprocessing makes of the held-out users."""

    model: str | bytes
    inputs: Arrays


def compare(served: Prepared, new: Prepared, labels: FloatsN) -> dict[str, Any]:
    """Return the metrics and the median latency of both models, and in what the new one is worse than allowed.

    Args:
        served: The served version.
        new: The new model.
        labels: The labels of the same users, 1 for female, [N].
    """
    before, after = (metrics(labels, run_onnx(each.model, each.inputs)[PROBABILITIES][:, 1]) for each in (served, new))
    before["latency_p50_ms"], after["latency_p50_ms"] = alternating_latency(served, new)
    return {"served": before, "new": after, "regressions": regressions(before, after)}


def metrics(labels: FloatsN, p_female: FloatsN) -> Summary:
    """Return the summary of all users, but with the recalls of the decided ones, or None if a gender has none."""
    decided = np.maximum(p_female, 1 - p_female) >= DECIDED
    names = [f"recall_{label}" for label in LABELS]
    of_decided = summary(labels[decided], p_female[decided]) if decided.any() else dict.fromkeys(names)
    return summary(labels, p_female) | {name: of_decided[name] for name in names}


def regressions(served: Summary, new: Summary) -> list[str]:
    """Describe every metric in which `new` is worse than `served` by more than its tolerance."""
    limits = {name: (-1, loss) for name, loss in MAX_LOSS.items()} | {"ece": (1, MAX_ECE_GAIN)}
    faults = []
    for name, (worse, tolerance) in limits.items():
        before, after = served[name], new[name]
        if before is None or after is None:
            faults.append(f"no {name}, because the held-out users, or the decided ones, lack a gender")
        # Metrics have four decimals.
        elif not round(worse * (after - before), 4) <= tolerance:  # NaN is worse, too
            faults.append(f"{name} {after:.3f} against {before:.3f} (tolerance {tolerance})")
    before, after = served["latency_p50_ms"], new["latency_p50_ms"]
    if after > MAX_LATENCY_RATIO * before:
        faults.append(f"latency p50 {after:.1f} ms against {before:.1f} ms (tolerance {MAX_LATENCY_RATIO - 1:.0%})")
    return faults


def alternating_latency(*models: Prepared) -> tuple[float, float]:
    """Return the median milliseconds of two models for one user on one thread; their calls alternate."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    sessions = [onnxruntime.InferenceSession(m.model, options, providers=["CPUExecutionProvider"]) for m in models]
    ones = [{name: array[:1] for name, array in each.inputs.items()} for each in models]
    seconds = np.empty((_WARMUP + _ROUNDS, len(sessions)))
    for row in seconds:
        for index, (session, one) in enumerate(zip(sessions, ones, strict=True)):
            start = time.perf_counter()
            session.run([PROBABILITIES], one)
            row[index] = time.perf_counter() - start
    before, after = np.median(seconds[_WARMUP:], axis=0) * 1000
    return round(float(before), 2), round(float(after), 2)
