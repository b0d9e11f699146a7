"""Measure the rows of the ablation and compare them in pairs: the content of `results/ranking.json`."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import numpy as np
from scipy.special import expit

from ..arrays import BoolsNK, FloatsN, FloatsNK
from ..evaluation.intervals import Estimate, estimate
from ..evaluation.ranking import UserAUC, coverage, gini, summary, user_auc
from .ablation_data import Data
from .ablation_rows import PAIRS, ROWS

# Stored runs by row and seed, and exact P(like) by kind of knowledge.
Runs = Mapping[str, Mapping[int, Mapping[str, Any]]]
Ceilings = Mapping[str, FloatsNK]

# Slices by the number of liked pictures that are known.
LENGTHS: Final = {"0": (0, 0), "1 to 5": (1, 5), "6 to 20": (6, 20), "21 to 50": (21, 50)}
GOALS: Final = {"all": 0.97, "unseen": 0.95}
MAX_ECE: Final = 0.02
_METRICS: Final = ("auc", "gauc", "ndcg_10", "ece", "log_loss")
_DRAWS: Final = 300


def content(data: Data, ceilings: Ceilings, runs: Runs, planned_seeds: int) -> dict[str, Any]:
    """Return ceilings, metrics of all finished rows and differences of pairs."""
    measured = data.sessions.rows(data.measured)
    liked, unseen = measured.liked, ~data.seen[measured.shown]
    slices = {"all": np.ones_like(liked), "unseen": unseen}
    lengths = (measured.history >= 0).sum(axis=1)
    active = len(data.setting.stock.active(data.setting.stock.last_day))
    rows = {
        row.name: {
            "article": row.article,
            "knowledge": row.knowledge,
            "seeds": list(runs[row.name]),
            **_row(liked, slices, _logits(runs[row.name]), ceilings[row.knowledge]),
            **_lists([run["lists"] for run in runs[row.name].values()], active),
            "by_length": _by_length(liked, lengths, _logits(runs[row.name]), ceilings[row.knowledge]),
            "cpu_s": round(float(np.mean([run["cpu_s"] for run in runs[row.name].values()])), 1),
        }
        for row in ROWS
        if row.name in runs
    }
    return {
        "train_sessions": len(data.past),
        "measured_sessions": len(liked),
        "shown": liked.shape[1],
        "pictures": len(data.setting.stock.ids),
        "unseen_impressions": int(unseen.sum()),
        "planned_seeds": planned_seeds,
        "ceilings": {
            name: {part: summary(liked, p, mask) for part, mask in slices.items()} for name, p in ceilings.items()
        },
        "ceilings_by_length": {
            name: {label: _gauc(user_auc(liked, p), _between(lengths, *ends)) for label, ends in LENGTHS.items()}
            for name, p in ceilings.items()
        },
        "rows": rows,
        "not_trained": [row.name for row in ROWS if row.name not in runs],
        "pairs": [
            _pair(liked, slices, lengths, runs, first, second)
            for first, second in PAIRS
            if first in runs and second in runs
        ],
    }


def _row(liked: BoolsNK, slices: Mapping[str, BoolsNK], logits: list[FloatsNK], exact: FloatsNK) -> dict[str, Any]:
    """Return the metrics of a row, mean over seeds, and how near the ceiling GAUC is."""
    result: dict[str, Any] = {}
    for part, mask in slices.items():
        metrics = [summary(liked, expit(each), mask) for each in logits]
        users = [user_auc(liked, each, mask) for each in logits]
        best = user_auc(liked, exact, mask)
        over = estimate(partial(_above, users, best), np.arange(len(liked)), _DRAWS)
        ceiling = best.mean()
        result[part] = {
            # The counts are the same for all seeds.
            **{name: metrics[0][name] for name in ("users", "skipped", "impressions")},
            **{name: round(float(np.mean([each[name] for each in metrics])), 4) for name in _METRICS},
            **estimate(partial(_means, users), np.arange(len(liked)), _DRAWS).rounded("gauc"),
            "gauc_by_seed": [each["gauc"] for each in metrics],
            "ceiling": round(ceiling, 4),
            "share": round((float(np.mean(_means(users))) - 0.5) / (ceiling - 0.5), 4) if ceiling > 0.5001 else None,
            "above_ceiling": over.low > 0,
        }
    return result


def _pair(
    liked: BoolsNK, slices: Mapping[str, BoolsNK], lengths: Any, runs: Runs, first: str, second: str
) -> dict[str, Any]:
    """Return the differences in GAUC of two rows over their common seeds, on slices and by length of history."""
    seeds = sorted(runs[first].keys() & runs[second].keys())
    result: dict[str, Any] = {"row": first, "against": second, "seeds": seeds}
    for part, mask in slices.items():
        result[part] = _difference(liked, mask, runs, (first, second), seeds).rounded("difference")
    for label, ends in LENGTHS.items():
        mask = np.broadcast_to(_between(lengths, *ends)[:, None], liked.shape)
        result[label] = _difference(liked, mask, runs, (first, second), seeds).rounded("difference")
    return result


def _difference(liked: BoolsNK, mask: BoolsNK, runs: Runs, names: tuple[str, str], seeds: list[int]) -> Estimate:
    kept = np.flatnonzero(mask.any(axis=1))
    users = [[user_auc(liked[kept], runs[name][seed]["logits"][kept], mask[kept]) for seed in seeds] for name in names]
    return estimate(lambda rows: _means(users[0], rows) - _means(users[1], rows), kept, _DRAWS)


def _by_length(liked: BoolsNK, lengths: Any, logits: list[FloatsNK], exact: FloatsNK) -> dict[str, Any]:
    users, best = [user_auc(liked, each) for each in logits], user_auc(liked, exact)
    return {
        label: {
            "gauc": round(float(np.mean([_gauc(each, rows) for each in users])), 4),
            "ceiling": _gauc(best, rows),
            "users": len(rows),
        }
        for label, ends in LENGTHS.items()
        if len(rows := np.flatnonzero(_between(lengths, *ends)))
    }


def _lists(lists: list[Any], active: int) -> dict[str, float]:
    """Return coverage and Gini of the ten best of all pictures of the last day, mean over seeds."""
    counts = [np.bincount(each.ravel(), minlength=1) for each in lists]
    padded = [np.append(each[each > 0], np.zeros(active - np.count_nonzero(each))) for each in counts]
    return {
        "list_users": len(lists[0]),
        "coverage": round(float(np.mean([coverage(each, active) for each in lists])), 4),
        "gini": round(float(np.mean([gini(each) for each in padded])), 4),
    }


def _logits(by_seed: Mapping[int, Mapping[str, Any]]) -> list[FloatsNK]:
    return [run["logits"] for run in by_seed.values()]


def _means(users: list[UserAUC], rows: Any = slice(None)) -> FloatsN:
    return np.array([each.mean(rows) for each in users])


def _above(users: list[UserAUC], best: UserAUC, rows: Any) -> FloatsN:
    """Return how much better each seed ranks than the ceiling."""
    return _means(users, rows) - best.mean(rows)


def _gauc(users: UserAUC, rows: Any) -> float:
    return round(users.mean(rows), 4)


def _between(lengths: Any, low: int, high: int) -> Any:
    return (lengths >= low) & (lengths <= high)
