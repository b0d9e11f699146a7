"""Measure the rows of the ablation, and compare them in pairs: the content of `results/ablation.json`."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from ..arrays import BoolsN, FloatsN
from ..evaluation.benchmark import FloatsSN, GroundTruth, compare, measure
from ..evaluation.intervals import Estimate
from .ablation_rows import CLAIMS, PAIRS, ROWS, Row

# What `training.gender.ablate` stores of a finished run, by row and seed.
Finished = Mapping[Row, Mapping[int, Mapping[str, Any]]]
# P(female) of the N test users, [N], by row and seed.
Predictions = Mapping[str, Mapping[int, FloatsN]]

SAME_DIRECTION: Final = "same direction"
OPPOSITE_DIRECTION: Final = "opposite direction"
NO_DIFFERENCE: Final = "no difference shown"
UNDECIDED: Final = "undecided"


def content(users: GroundTruth, scored: BoolsN, finished: Finished) -> dict[str, Any]:
    """Return the metrics of all finished rows, the comparisons between them, and where and when they were trained.

    Args:
        users: The users of the stored predictions.
        scored: Which of them count.
        finished: What is stored of the runs.
    """
    users = users.rows(scored)
    predictions = {
        row.name: {seed: np.array(run["p_female"])[scored] for seed, run in by_seed.items()}
        for row, by_seed in finished.items()
    }
    return {
        "trained": _trained(finished),
        "users": len(users.female),
        "identities": len(np.unique(users.identities)),
        "new_nicknames": int(users.new_nickname.sum()),
        "ceiling": round(users.ceiling, 4),
        "rows": {row.name: _row(row, users, predictions[row.name]) for row in finished},
        "not_trained": [row.name for row in ROWS if row not in finished],
        "claims": [
            {**pair, "article": claim.difference, "verdict": verdict(claim.difference, pair)}
            for claim in CLAIMS
            if (pair := _compare(users, predictions, claim.row, claim.against))
        ],
        "pairs": [found for pair in PAIRS if (found := _compare(users, predictions, *pair))],
    }


def verdict(article: float, pair: Mapping[str, Any]) -> str:
    """Compare the direction of a measured difference in accuracy with the article's.

    A direction is shown if the interval, over several seeds, excludes 0. If it contains both 0 and the article's
    difference, the data is too little to decide. The sizes are not compared otherwise: the article's accuracies are
    those of other users, with another ceiling.
    """
    found = Estimate(pair["difference"], pair["difference_low"], pair["difference_high"])
    if len(pair["seeds"]) == 1 or (not found.excludes_zero and found.low <= article <= found.high):
        return UNDECIDED
    if not found.excludes_zero:
        return NO_DIFFERENCE
    return SAME_DIRECTION if found.value * article > 0 else OPPOSITE_DIRECTION


def _row(row: Row, users: GroundTruth, by_seed: Mapping[int, FloatsN]) -> dict[str, Any]:
    return {
        "article": row.article,
        "epochs": row.config.epochs,
        "text": row.text,
        "seeds": list(by_seed),
        "planned_seeds": row.seeds,
        **measure(users, np.stack(list(by_seed.values()))),
    }


def _compare(users: GroundTruth, predictions: Predictions, row: str, against: str) -> dict[str, Any] | None:
    """Return the difference in accuracy of two rows over their common seeds; None if there is none."""
    first, second = predictions.get(row, {}), predictions.get(against, {})
    if not (seeds := sorted(first.keys() & second.keys())):
        return None
    difference = compare(users, _stack(first, seeds), _stack(second, seeds))
    return {"row": row, "against": against, "seeds": seeds, **difference.rounded("difference")}


def _stack(by_seed: Mapping[int, FloatsN], seeds: list[int]) -> FloatsSN:
    return np.stack([by_seed[seed] for seed in seeds])


def _trained(finished: Finished) -> dict[str, Any]:
    """Return the machines, dates, versions and preprocessing of the finished runs."""
    runs = [run for by_seed in finished.values() for run in by_seed.values()]
    dates = sorted(run["date"] for run in runs)
    return {
        "machines": sorted({run["machine"] for run in runs}),
        "dates": [dates[0], dates[-1]] if dates else [],
        "versions": sorted({f"{name} {version}" for run in runs for name, version in run["versions"].items()}),
        "prep_digests": sorted({run["prep_digest"] for run in runs}),
    }
