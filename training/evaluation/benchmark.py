"""Compare models with the best accuracy that is possible on synthetic users, and with each other."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from ..arrays import BoolsN, FloatsN, IntsN
from .intervals import Estimate, estimate
from .metrics import Summary, auc, expected_calibration_error

# P(female) by seed and user, [S, N].
FloatsSN = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class GroundTruth:
    """Labels and exact posteriors P(female | inputs) of synthetic users, [N] each.

    A user is determinable if avatar or nickname carries a signal, correct or misleading. A nickname is new if no train
    row has it. `identities` numbers who or what the avatars show.
    """

    female: BoolsN
    posterior: FloatsN
    determinable: BoolsN
    new_nickname: BoolsN
    identities: IntsN

    def rows(self, members: BoolsN) -> "GroundTruth":
        """Return some of the users."""
        return GroundTruth(*(getattr(self, field.name)[members] for field in fields(self)))

    @property
    def ceiling(self) -> float:
        """The expected accuracy of the best possible model on these users."""
        return ceiling(self.posterior)


def ceiling(posterior: FloatsN) -> float:
    """Return the expected accuracy of the Bayes-optimal decision."""
    return float(np.maximum(posterior, 1 - posterior).mean())


def expected_correct(posterior: FloatsN, p_female: FloatsSN) -> FloatsSN:
    """Return the probability that each decision is correct, of the shape of `p_female`.

    Its mean is the accuracy without the noise of the drawn labels, and at most the ceiling.
    """
    return np.where(p_female >= 0.5, posterior, 1 - posterior)


def expected_accuracy(posterior: FloatsN, p_female: FloatsSN, identities: IntsN) -> Estimate:
    """Return the accuracy, scored by posteriors, over identities and the seeds of `p_female` [S, N] or [N]."""
    return _mean(np.atleast_2d(expected_correct(posterior, p_female)), identities)


def measure(truth: GroundTruth, p_female: FloatsSN) -> Summary:
    """Return the metrics of a model, mean over seeds, also relative to the ceiling and on the determinable users.

    Accuracy is scored by posteriors. `leak` is True if the drawn labels are right more often than the posteriors allow
    for the decisions of any seed, by three standard deviations: the model knows something that its inputs do not
    contain.
    """
    correct, determinable, new = expected_correct(truth.posterior, p_female), truth.determinable, truth.new_nickname
    accuracy = _mean(correct, truth.identities)
    labels = truth.female.astype(float)
    of_labels = ((p_female >= 0.5) == truth.female).mean(axis=1)
    deviation = np.sqrt(np.sum(truth.posterior * (1 - truth.posterior))) / len(labels)
    return {
        "users": len(labels),
        **accuracy.rounded("accuracy"),
        "accuracy_by_seed": np.round(correct.mean(axis=1), 4).tolist(),
        "label_accuracy": round(float(of_labels.mean()), 4),
        "share_of_ceiling": round(accuracy.value / truth.ceiling, 4),
        "determinable_users": int(determinable.sum()),
        **_mean(correct[:, determinable], truth.identities[determinable]).rounded("determinable_accuracy"),
        "new_nicknames": int(new.sum()),
        "new_nickname_accuracy": round(float(correct[:, new].mean()), 4) if new.any() else None,
        "auc": round(float(np.mean([auc(labels, each) for each in p_female])), 4),
        "ece": round(float(np.mean([expected_calibration_error(labels, each) for each in p_female])), 4),
        "leak": bool(np.any(of_labels > correct.mean(axis=1) + 3 * deviation)),
    }


def compare(truth: GroundTruth, p_female: FloatsSN, other: FloatsSN) -> Estimate:
    """Return how much more accurate the first model is than the other, on the same users and the same seeds.

    The interval holds for both (see `training.evaluation.intervals`); accuracy is scored by posteriors.
    """
    return _mean(
        expected_correct(truth.posterior, p_female) - expected_correct(truth.posterior, other), truth.identities
    )


def _mean(values: FloatsSN, identities: IntsN) -> Estimate:
    return estimate(lambda rows: values[:, rows].mean(axis=1), identities)


def mcnemar(correct: BoolsN, other: BoolsN) -> float:
    """Return the exact two-sided p-value that two models on the same users are equally accurate (McNemar, 1947)."""
    only_one, only_other = int((correct & ~other).sum()), int((other & ~correct).sum())
    discordant = only_one + only_other
    return float(binomtest(only_one, discordant).pvalue) if discordant else 1.0
