"""Probabilities of labels by models that have not seen them: logistic regression on vectors, out of fold."""

from typing import Final

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..arrays import FloatsN, FloatsND, FloatsNK, IntsN

FOLDS: Final = 5
# Of which cross-validation chooses one: strong penalties suit few labels, weak ones many.
_INVERSE_PENALTIES: Final = (0.001, 0.01, 0.1, 1.0)


def probabilities(x: FloatsND, labels: IntsN, groups: IntsN, seed: int = 0) -> FloatsNK:
    """Return P(label) of each picture for each of K labels, `[N, K]`.

    A model that saw a wrong label would have learned it. So a labeled picture is judged by the one model that saw
    neither it nor its group, and an unlabeled one by the mean of all.

    Args:
        x: Vectors of the pictures, `[N, D]`.
        labels: 0 to K − 1, or −1 for an unlabeled picture, `[N]`.
        groups: Pictures of one group, such as one person, are in one fold; `[N]`.
        seed: Of the folds.

    Raises:
        ValueError: There are fewer than two labels, or one has fewer than `FOLDS` groups.
    """
    labeled, unlabeled = np.flatnonzero(labels >= 0), np.flatnonzero(labels < 0)
    smallest = min((len(np.unique(groups[labels == label])) for label in range(labels.max(initial=-1) + 1)), default=0)
    if labels.max(initial=-1) < 1 or smallest < FOLDS:
        raise ValueError(f"expected two or more labels with at least {FOLDS} different pictures each")
    result = np.zeros((len(x), labels.max() + 1))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for seen, unseen in folds.split(labeled, labels[labeled], groups[labeled]):
        penalized = LogisticRegression(max_iter=1000)
        search = GridSearchCV(penalized, {"C": _INVERSE_PENALTIES}, cv=3, scoring="neg_log_loss")
        model = make_pipeline(StandardScaler(), search)
        model.fit(x[labeled[seen]], labels[labeled[seen]])
        result[labeled[unseen]] = model.predict_proba(x[labeled[unseen]])
        if len(unlabeled):
            result[unlabeled] += model.predict_proba(x[unlabeled]) / FOLDS
    return result


def expected_losses(p: FloatsNK, labels: IntsN) -> FloatsN:
    """Return the cross-entropy of each given label, or the entropy of an unlabeled picture, in nats, `[N]`."""
    log_p = np.log(np.clip(p, 1e-12, 1))
    given: FloatsN = -log_p[np.arange(len(p)), np.maximum(labels, 0)]
    return np.where(labels >= 0, given, -(p * log_p).sum(axis=1))
