"""The start from a few positives: retrieval, then semi-supervised training (article 003, section 二)."""

from typing import Any, Final

import keras

from ..arrays import FloatsN
from . import few_shot
from .fit import fixmatch, mean_teacher, supervise
from .multitask import predict
from .runs import POOL, Trained
from .study import Labels, Study

SUPERVISED, MEAN_TEACHER, FIXMATCH = "supervised", "Mean Teacher", "FixMatch"
PRECISION_AT: Final = (10, 50, 200)


def retrieve(study: Study) -> tuple[Labels, dict[str, FloatsN]]:
    """Label the pictures of the pool most like the first positives; return all labels, and the precision at k.

    These labels are right: so few can be checked, and of one wrong in twenty most positives would be wrong.
    """
    start = study.start

    def compute() -> dict[str, Any]:
        pool = study.unlabeled(start)
        positives = start.rows[start.given == 1]
        ranked = few_shot.retrieve(study.vectors[positives], study.vectors[pool], study.config.retrieved)
        relevant = study.truth[pool]
        precision = [few_shot.precision_at(k, relevant, ranked) for k in PRECISION_AT if k <= len(ranked)]
        rows = pool[ranked]
        return {"rows": rows, "given": study.experts().ask(rows), "precision": precision, "base": relevant.mean()}

    kept = study.runs.keep("labels_retrieved", compute)
    return start.plus(kept["rows"], kept["given"]), {name: kept[name] for name in ("precision", "base")}


def cold_start(study: Study, labels: Labels) -> dict[str, Trained]:
    """Train on the first labels with and without the unlabeled pictures."""
    others = study.pictures[study.unlabeled(labels)]

    def with_labels(network: keras.Model) -> dict[str, Any]:
        supervise(network, *study.of(labels), study.schedule())
        return {}

    def with_teacher(network: keras.Model) -> dict[str, Any]:
        teacher = mean_teacher(network, *study.of(labels), others, study.schedule())
        network.set_weights(teacher.get_weights())
        return {POOL: predict(network, study.plain)[:, 0]}

    def with_pseudo_labels(network: keras.Model) -> dict[str, Any]:
        fixmatch(network, *study.of(labels), others, study.schedule())
        return {}

    fits = {SUPERVISED: with_labels, MEAN_TEACHER: with_teacher, FIXMATCH: with_pseudo_labels}
    return {name: study.runs.train(name, fit, study.config.trunk) for name, fit in fits.items()}
