"""Compare forms and versions of the screener on test pictures."""

from collections.abc import Sequence
from typing import Any, Final

from sklearn.metrics import roc_auc_score

from training.arrays import BoolsN, FloatsN, FloatsND, LabelsN, LabelsNA
from training.curation.prevalence import precision_interval

from .errors import ConversionError
from .screener_model import Limits

# What int8 may lose of the AUC of any attribute, and the share of pictures on which it may decide otherwise.
MAX_AUC_LOSS: Final = 0.01
MAX_CHANGED: Final = 0.01
# How much worse than the served version a new one may be.
MAX_RECALL_LOSS: Final = 0.05
MAX_FALSE_REFUSALS_GAIN: Final = 0.005


def check_int8(
    attributes: Sequence[str], limits: Limits, fp32: Sequence[FloatsND], int8: Sequence[FloatsND], labels: LabelsNA
) -> dict[str, Any]:
    """Return how close int8 comes to fp32, from the probabilities of both networks, `[N, A]` and `[N, 1]`.

    Raises:
        ConversionError: It separates an attribute worse, or decides otherwise too often.
    """
    losses = {
        name: round(before - after, 4)
        for column, name in enumerate(attributes)
        if (before := auc(fp32[0][:, column], labels[:, column])) is not None
        and (after := auc(int8[0][:, column], labels[:, column])) is not None
    }
    verdicts = [limits.refused(attributes, *each).any(axis=1) for each in (fp32, int8)]
    changed = float((verdicts[0] != verdicts[1]).mean())
    if max(losses.values(), default=0) > MAX_AUC_LOSS or changed > MAX_CHANGED:
        raise ConversionError(
            f"expected int8 to lose at most {MAX_AUC_LOSS} of each AUC and to change at most {MAX_CHANGED:.0%} of the "
            f"verdicts, got {max(losses.values(), default=0):.4f} and {changed:.1%}"
        )
    return {"int8_auc_loss": losses, "int8_changed_verdicts": round(changed, 4)}


def measure(
    attributes: Sequence[str],
    limits: Limits,
    first: FloatsND,
    second: FloatsND,
    labels: LabelsNA,
    prevalence: float,
) -> dict[str, Any]:
    """Return what a screener finds of each refusing attribute, and how many good pictures it refuses.

    Args:
        attributes: Names of the columns, A.
        limits: When an attribute refuses a picture.
        first: Probabilities of the first network, `[N, A]`.
        second: Probabilities of the second network, `[N, 1]`.
        labels: 1, 0, or -1 if unknown, `[N, A]`.
        prevalence: The share of pictures that have the attribute, for which precision is stated.
    """
    refused = limits.refused(attributes, first, second)
    columns = {name: attributes.index(name) for name in limits.first}
    found = {
        name: {
            "auc": auc(first[:, column], labels[:, column]),
            **_counts(refused[:, column], labels[:, column], prevalence),
        }
        for name, column in columns.items()
    }
    good = (labels[:, list(columns.values())] == 0).all(axis=1)
    refused_good = _rounded(refused[good].any(axis=1).mean()) if good.any() else None
    return {"pictures": len(first), "good_pictures": int(good.sum()), "false_refusals": refused_good, "found": found}


def regressions(served: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Describe in what a version is worse than the served one, by more than allowed, from what `measure` returns.

    Recall is not compared with that of a version that refuses many more good pictures: what refuses much finds much.
    """
    faults, allowed = [], {"auc": MAX_AUC_LOSS, "recall": MAX_RECALL_LOSS}
    gain = (new["false_refusals"] or 0.0) - (served["false_refusals"] or 0.0)
    if gain < -MAX_FALSE_REFUSALS_GAIN:
        del allowed["recall"]
    for name, before in served["found"].items():
        after = new["found"].get(name, {})
        for metric, loss in allowed.items():
            if (old := before[metric]) is not None and (got := after.get(metric) or 0.0) < old - loss:
                faults.append(f"{metric} of {name} {got:.3f} against {old:.3f} (tolerance {loss})")
    if gain > MAX_FALSE_REFUSALS_GAIN:
        rates = f"{new['false_refusals']:.4f} against {served['false_refusals']:.4f}"
        faults.append(f"false refusals {rates} (tolerance {MAX_FALSE_REFUSALS_GAIN})")
    return faults


def auc(scores: FloatsN, labels: LabelsN) -> float | None:
    """Return the AUC of the pictures whose label is known; None if they all have the same."""
    known = labels >= 0
    if len(set(labels[known].tolist())) < 2:
        return None
    return _rounded(roc_auc_score(labels[known], scores[known]))


def _counts(refused: BoolsN, labels: LabelsN, prevalence: float) -> dict[str, Any]:
    """Return how many pictures with and without an attribute are refused; nothing if there are none of either."""
    positives, negatives = (int((labels == value).sum()) for value in (1, 0))
    found, false = (int(refused[labels == value].sum()) for value in (1, 0))
    counts = {"positives": positives, "found": found, "negatives": negatives, "false": false, "recall": None}
    if not positives or not negatives:
        return counts
    low, high = precision_interval(found, positives, false, negatives, prevalence)
    return counts | {"recall": _rounded(found / positives), "precision_95": [_rounded(low), _rounded(high)]}


def _rounded(value: float) -> float:
    return round(float(value), 4)
