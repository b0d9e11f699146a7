"""The statistics of an A/B test; differences are second arm minus first."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from genderprep.tensors import LABELS
from training.evaluation.benchmark import mcnemar
from training.evaluation.metrics import auc, wilson_interval

from ..report.statistics import paired_bootstrap, sample_ratio_p

RANKS: Final = (50, 95, 99)

Values = NDArray[Any]  # [N], one per user


def analyze(rows: pd.DataFrame, arms: Sequence[str], seed: int) -> dict[str, Any]:
    """Return everything that the report says about the rows of `ab.shadow`; JSON can hold it."""
    answered = rows[(rows["error_0"] == "") & (rows["error_1"] == "")].reset_index(drop=True)
    asked_first = [int((rows["first"] == index).sum()) for index in (0, 1)]
    analysis: dict[str, Any] = {
        "arms": list(arms),
        "users": len(rows),
        "failed": {arm: _counts(rows[f"error_{index}"]) for index, arm in enumerate(arms)},
        "asked_first": asked_first,
        "sample_ratio_p": sample_ratio_p(*asked_first),
    }
    if answered.empty:
        return analysis
    analysis["agreement"] = float((answered["predicted_0"] == answered["predicted_1"]).mean())
    analysis["unknown"] = [float((answered[f"predicted_{index}"] == "unknown").mean()) for index in (0, 1)]
    analysis["latency_ms"] = {f"p{rank}": _latency(answered, rank, seed) for rank in RANKS}
    labelled = answered[answered["gender"] != ""]
    if not labelled.empty:
        analysis |= {"labelled": len(labelled), "accuracy": _accuracy(labelled, seed)}
    if labelled["gender"].nunique() == len(LABELS):
        analysis["auc"] = _auc(labelled, seed)
    return analysis


def _counts(errors: pd.Series) -> dict[str, int]:
    return {str(kind): int(count) for kind, count in errors[errors != ""].value_counts().items()}


def _latency(answered: pd.DataFrame, rank: float, seed: int) -> dict[str, Any]:
    times_ms = [answered["ms_0"].to_numpy(), answered["ms_1"].to_numpy()]
    return _difference(lambda values: float(np.percentile(values, rank)), times_ms, seed)


def _accuracy(labelled: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Return the accuracy of the likelier gender, whatever the threshold of `unknown`."""
    is_female = (labelled["gender"] == "female").to_numpy()
    correct = [(labelled[f"p_female_{index}"] >= 0.5).to_numpy() == is_female for index in (0, 1)]
    return {
        **_difference(lambda values: float(values.mean()), correct, seed),
        "intervals": [list(wilson_interval(int(each.sum()), len(each))) for each in correct],
        "mcnemar_p": mcnemar(*correct),
    }


def _auc(labelled: pd.DataFrame, seed: int) -> dict[str, Any]:
    is_female = (labelled["gender"] == "female").to_numpy(float)
    scores = [labelled[f"p_female_{index}"].to_numpy() for index in (0, 1)]
    values = [auc(is_female, each) for each in scores]
    low, high = paired_bootstrap(
        lambda labels, first, second: auc(labels, second) - auc(labels, first), is_female, *scores, seed=seed
    )
    return {"values": values, "difference": values[1] - values[0], "low": low, "high": high}


def _difference(statistic: Callable[[Values], float], samples: Sequence[Values], seed: int) -> dict[str, Any]:
    values = [statistic(each) for each in samples]
    low, high = paired_bootstrap(lambda first, second: statistic(second) - statistic(first), *samples, seed=seed)
    return {"values": values, "difference": values[1] - values[0], "low": low, "high": high}
