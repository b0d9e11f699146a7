"""Compare the vectors of two forms of one picture encoder, and those of a new version with the served ones."""

from typing import Any, Final

import pandas as pd

from picturegallery.tensors import VECTOR
from training.arrays import Arrays, FloatsND
from training.pretrain.measures import LABELS
from training.pretrain.neighbors import label_consistency, recall_at

from .errors import ConversionError

# What int8 must keep: the mean cosine of its vectors with those of fp32, and the label consistency at K = 10.
MIN_MEAN_COSINE: Final = 0.95
MAX_CONSISTENCY_LOSS: Final = 0.01
# How much worse than the served version a new version may be.
MAX_LOSS: Final = 0.02
_K: Final = 10


def check_int8(fp32: Arrays, int8: Arrays, table: pd.DataFrame) -> dict[str, Any]:
    """Return how close int8 comes to fp32, for pictures that are the rows of `table`.

    Raises:
        ConversionError: Its vectors deviate too far, or their neighbors have fewer labels in common.
    """
    cosines = (fp32[VECTOR] * int8[VECTOR]).sum(axis=1)
    consistency = {
        label: [label_consistency(each[VECTOR], table[label].to_numpy(), _K).value for each in (fp32, int8)]
        for label in LABELS
        if label in table
    }
    losses = {label: before - after for label, (before, after) in consistency.items()}
    if not cosines.mean() >= MIN_MEAN_COSINE or max(losses.values(), default=0) > MAX_CONSISTENCY_LOSS:
        raise ConversionError(
            f"expected int8 vectors with a mean cosine of {MIN_MEAN_COSINE} to those of fp32, and at most "
            f"{MAX_CONSISTENCY_LOSS} less label consistency, got {cosines.mean():.4f} and "
            f"{', '.join(f'{label} {loss:.4f}' for label, loss in losses.items())}"
        )
    return {
        "int8_cosine": {"mean": round(float(cosines.mean()), 4), "smallest": round(float(cosines.min()), 4)},
        "consistency": {
            label: {"fp32": round(before, 4), "int8": round(after, 4)} for label, (before, after) in consistency.items()
        },
    }


def compare_with_served(served: FloatsND, new: FloatsND, table: pd.DataFrame) -> dict[str, Any]:
    """Return the quality of the vectors of both versions, and in what the new one is worse than `MAX_LOSS` allows.

    Args:
        served: Vectors [N, D] of pictures that neither version has seen, the rows of `table`.
        new: Vectors [N, D'] of the same pictures.
        table: Their labels, `theme` and `style` if known; `card` is the same for drawings of one card.
    """
    before, after = quality(served, table), quality(new, table)
    regressions = [
        f"{name} {after[name]:.3f} against {before[name]:.3f} (tolerance {MAX_LOSS})"
        for name in before
        if before[name] - after[name] > MAX_LOSS
    ]
    return {"pictures": len(table), "served": before, "new": after, "regressions": regressions}


def quality(vectors: FloatsND, table: pd.DataFrame) -> dict[str, float]:
    """Return the label consistency of the nearest neighbors and, if cards are drawn repeatedly, Recall@1."""
    cards = table["card"].to_numpy() if "card" in table else None
    values = {
        f"{label}@{_K}": label_consistency(vectors, table[label].to_numpy(), _K, cards).value
        for label in LABELS
        if label in table
    }
    if cards is not None and len(set(cards)) < len(cards):
        values["recall@1"] = recall_at(vectors, cards, [1])[1].value
    return {name: round(value, 4) for name, value in values.items()}
