"""A round of article 003, section 三: recall, choose what to label, ask, find wrong labels, train."""

from typing import Any, Final

import keras
import numpy as np

from ..arrays import FloatsN, IntsN
from . import o2u, selection
from .fit import cyclic_losses, supervise_with_losses
from .runs import POOL, Trained
from .study import Labels, Study

# Of the recalled pictures: the share with the highest predicted losses, and that of the most and the least confident
# ones; their union is about the article's 30 %.
PREDICTED_SHARE: Final = 0.25
BAND_SHARE: Final = 0.07
EXPLORED_SHARE: Final = 0.05
CHECKED_SHARE: Final = 0.05
PREDICTED: Final = "predicted"


def first_round(study: Study, labels: Labels, model: Trained) -> tuple[Labels, Trained]:
    """Label all that the first model recalls, check the labels, and train."""
    rows = study.recall(model.extra[POOL], labels, study.config.first_recall)
    return _finish(study, 1, labels, rows, model)


def next_round(study: Study, number: int, labels: Labels, model: Trained) -> tuple[Labels, Trained]:
    """Label a part of what the model recalls, check the labels, and train."""
    recalled = study.recall(model.extra[POOL], labels, study.config.recalled)
    pool, rng = study.unlabeled(labels), study.rng(number)
    chosen = recalled[choose(model.extra[POOL][recalled], model.extra[PREDICTED][recalled], rng)]
    positions = rng.permutation(np.searchsorted(pool, chosen))
    rows = pool[selection.with_exploration(positions, len(pool), EXPLORED_SHARE, rng)]
    return _finish(study, number, labels, rows, model)


def choose(p: FloatsN, losses: FloatsN, rng: np.random.Generator) -> IntsN:
    """Return which of the recalled pictures to label: the band of confidence and the highest predicted losses."""
    return np.union1d(band(p), selection.predicted_loss(losses, round(PREDICTED_SHARE * len(p)), rng))


def band(p: FloatsN) -> IntsN:
    """Return the recalled pictures of highest and of lowest confidence.

    The article's thresholds are not known and are "adjusted to the situation"; ours are quantiles.
    """
    low, high = np.quantile(p, (BAND_SHARE / 2, 1 - BAND_SHARE / 2))
    return selection.confidence_band(p, high, low)


def noise_scores(study: Study, labels: Labels, start: Trained) -> dict[str, Any]:
    """Return O2U's score of each label, and for comparison its loss in the last epoch alone."""
    losses = cyclic_losses(
        start.network(), study.plain[labels.rows], labels.column, study.config.epochs, seed=study.seed
    )
    return {"scores": o2u.noise_scores(losses), "single": losses[-1]}


def train_with_losses(study: Study, name: str, labels: Labels, start: Trained) -> Trained:
    """Train on labels, with a module that predicts the losses of all pictures."""

    def fit(network: keras.Model) -> dict[str, Any]:
        objective = supervise_with_losses(network, *study.of(labels), study.schedule())
        p, losses = objective.predict_pool(study.plain)
        return {POOL: p, PREDICTED: losses}

    return study.runs.train(name, fit, study.config.trunk, start)


def _finish(study: Study, number: int, labels: Labels, rows: IntsN, model: Trained) -> tuple[Labels, Trained]:
    def ask_and_check() -> dict[str, Any]:
        answers = study.annotators().ask(rows)
        asked = labels.plus(rows, answers)
        checked = o2u.suspects(noise_scores(study, asked, model)["scores"], asked.given, CHECKED_SHARE)
        corrected = asked.corrected(checked, study.experts().ask(asked.rows[checked]))
        return {"rows": asked.rows, "given": corrected.given, "answers": answers, "checked": checked}

    kept = study.runs.keep(f"labels_{number}", ask_and_check)
    grown = Labels(kept["rows"], kept["given"])
    return grown, train_with_losses(study, f"round {number}", grown, model)
