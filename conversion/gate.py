"""The accuracy gate: compare the answers of an int8 model with those of the fp32 model on held-out users."""

from typing import Any, Final

import numpy as np
import pandas as pd

from training.arrays import FloatsN
from training.data.batches import Users
from training.evaluation.metrics import UNKNOWN, decisions, summary
from training.evaluation.slices import by_slice

from .errors import ConversionError

# What int8 may lose of the AUC and add to the log loss, in nats, and the share of decisions that it may change.
MAX_AUC_LOSS: Final = 0.003
MAX_LOG_LOSS_GAIN: Final = 0.01
MAX_FLIPS: Final = 0.05


def check_int8(users: Users, fp32: FloatsN, int8: FloatsN, unknown_below: float) -> dict[str, Any]:
    """Return the metrics of both calibrated models and the share of decisions that int8 changes.

    A decision is what the client returns: male, female or unknown. For users near 0.5 the smallest change flips the
    likelier gender, so those flips are reported but not limited.

    Raises:
        ConversionError: int8 ranks worse, is more often surely wrong, or changes more decisions than allowed.
    """
    shown, labels = users.present.any(axis=1), users.female[:, 0]
    flips = float(np.mean(decisions(fp32, shown, unknown_below) != decisions(int8, shown, unknown_below)))
    before, after = summary(labels, fp32), summary(labels, int8)
    loss, gain = (before["auc"] or 0) - (after["auc"] or 0), after["log_loss"] - before["log_loss"]
    if loss > MAX_AUC_LOSS or gain > MAX_LOG_LOSS_GAIN or flips > MAX_FLIPS:
        raise ConversionError(
            f"expected int8 to lose at most {MAX_AUC_LOSS} of the AUC, to add at most {MAX_LOG_LOSS_GAIN} to the log "
            f"loss and to change at most {MAX_FLIPS:.0%} of the decisions, got {loss:.4f}, {gain:.4f} and {flips:.2%}"
        )
    return {
        "fp32_held_out": before,
        "int8_held_out": after,
        "int8_flips": round(flips, 4),
        "int8_likelier_changed": round(float(np.mean((fp32 >= 0.5) != (int8 >= 0.5))), 4),
    }


def measure_test(table: pd.DataFrame, users: Users, int8: FloatsN, unknown_below: float) -> dict[str, Any]:
    """Return the metrics of int8 on the test rows of a manifest: by slice, and of the users that the client decides."""
    test = (table["split"] == "test").to_numpy()
    users, int8 = users.rows(test), int8[test]
    decided = decisions(int8, users.present.any(axis=1), unknown_below) != UNKNOWN
    metrics = summary(users.female[decided, 0], int8[decided]) if decided.any() else None
    return {
        "unknown_below": unknown_below,
        "int8_test_decided": {"share": round(float(decided.mean()), 4), "summary": metrics},
        "int8_test": by_slice(table[test], users, int8),
    }
