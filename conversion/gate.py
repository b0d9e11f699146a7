"""The accuracy gate: compare the answers of an int8 model with those of the fp32 model on held-out users."""

from typing import Any, Final

import numpy as np
import pandas as pd

from training.arrays import BoolsN, FloatsN
from training.data.batches import Users
from training.evaluation.metrics import UNKNOWN, decisions, summary
from training.evaluation.slices import by_slice, modalities

from .errors import ConversionError

# What int8 may lose of the AUC and add to the log loss, in nats, and the share of decisions that it may change.
MAX_AUC_LOSS: Final = 0.003
MAX_LOG_LOSS_GAIN: Final = 0.01
MAX_FLIPS: Final = 0.05


def check_int8(
    users: Users, fp32: FloatsN, int8: FloatsN, unknown_below: float, unseen_source: BoolsN
) -> dict[str, Any]:
    """Return the metrics of both calibrated models and the share of decisions that int8 changes.

    A decision is what the client returns: male, female or unknown. For users near 0.5 the smallest change flips the
    likelier gender, so those flips are reported but not limited. The users of an unseen source, of which neither
    quantization nor calibration had any, are too few for the limits and are reported beside them.

    Raises:
        ConversionError: int8 ranks worse, is more often surely wrong, or changes more decisions than allowed.
    """
    shown, labels = users.present.any(axis=1), users.female[:, 0]
    changed = decisions(fp32, shown, unknown_below) != decisions(int8, shown, unknown_below)
    flips, before, after = float(changed.mean()), summary(labels, fp32), summary(labels, int8)
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
        **({"unseen_sources": _of_rows(labels, fp32, int8, changed, unseen_source)} if unseen_source.any() else {}),
    }


def _of_rows(labels: FloatsN, fp32: FloatsN, int8: FloatsN, changed: BoolsN, rows: BoolsN) -> dict[str, Any]:
    before, after = (summary(labels[rows], each[rows]) for each in (fp32, int8))
    return {"fp32": before, "int8": after, "int8_flips": round(float(changed[rows].mean()), 4)}


def measure_test(table: pd.DataFrame, users: Users, int8: FloatsN, unknown_below: float) -> dict[str, Any]:
    """Return the metrics of int8 on the test rows of a manifest: by slice, and of the users that the client decides."""
    test = (table["split"] == "test").to_numpy()
    users, int8 = users.rows(test), int8[test]
    patterns = modalities(users)
    groups = {"all": np.ones(len(users), np.bool_)} | {name: patterns == name for name in sorted({*patterns})}
    return {
        "unknown_below": unknown_below,
        "int8_test_decided": {name: _decided(users.rows(of), int8[of], unknown_below) for name, of in groups.items()},
        "int8_test": by_slice(table[test], users, int8),
    }


def _decided(users: Users, p_female: FloatsN, unknown_below: float) -> dict[str, Any]:
    decided = decisions(p_female, users.present.any(axis=1), unknown_below) != UNKNOWN
    metrics = summary(users.female[decided, 0], p_female[decided]) if decided.any() else None
    return {"share": round(float(decided.mean()), 4), "summary": metrics}
