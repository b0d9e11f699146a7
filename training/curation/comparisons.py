"""Each idea of article 003 against its alternatives, from the same state of the loop."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import keras
import numpy as np

from ..arrays import FloatsND, IntsN
from ..synthetic.defects import ATTRIBUTES
from . import o2u, out_of_fold, selection
from .fit import mine, supervise
from .multitask import Architecture
from .rounds import CHECKED_SHARE, PREDICTED, choose, noise_scores
from .runs import POOL, Trained
from .study import ATTRIBUTE, Labels, Study
from .views import Plain

ALL, BOTH, LOSS = "all", "band ∪ predicted loss", "predicted loss"
ENTROPY, RANDOM, CORE_SET = "entropy", "random", "core-set"
STRATEGIES: Final = (ALL, BOTH, LOSS, ENTROPY, RANDOM, CORE_SET)
NOISY, CLEANED, RIGHT = "noisy", "cleaned by O2U", "right"
O2U, SINGLE_EPOCH, OUT_OF_FOLD = "O2U", "loss of one epoch", "loss out of fold"
CLEANLAB: Final = "cleanlab"
PLAIN_SECOND, MINED_SECOND = "second network", "second network, hard examples"
MIXED_SECOND: Final = "second network, hard and ordinary examples"
ATTENTION: Final = "CBAM in blocks"
# Attributes for which a network of its own is trained, and the name of the network for all.
ALONE: Final = ("blurred", "low_resolution", "text_overlay", ATTRIBUTE)
SHARED: Final = "all attributes"
_CHOICE: Final = 100
# Pictures of a batch that the second network sees besides as many hard ones.
_ORDINARY: Final = 16


def select(study: Study, labels: Labels, model: Trained) -> dict[str, tuple[int, Trained]]:
    """Label what each strategy chooses of the same recalled pictures, without errors, and train.

    Returns:
        The number of labels and the network, by strategy.
    """
    recalled = study.recall(model.extra[POOL], labels, study.config.recalled)
    p, losses = (model.extra[name][recalled] for name in (POOL, PREDICTED))
    both = choose(p, losses, study.rng(_CHOICE))
    count = len(both)
    strategies: dict[str, Callable[[], IntsN]] = {
        ALL: lambda: np.arange(len(recalled)),
        BOTH: lambda: both,
        LOSS: lambda: selection.highest(losses, count),
        ENTROPY: lambda: selection.entropy(p, count),
        CORE_SET: lambda: selection.core_set(study.vectors[recalled], study.vectors[labels.rows], count),
        RANDOM: lambda: selection.random(len(recalled), count, study.rng(_CHOICE)),
    }
    results = {}
    for name in study.config.strategies:
        rows = recalled[strategies[name]()]
        grown = labels.plus(rows, study.experts().ask(rows))
        results[name] = (len(rows), _train(study, f"select {name}", grown, model))
    return results


def clean(study: Study, labels: Labels, start: Trained) -> tuple[dict[str, IntsN], dict[str, Trained]]:
    """Find wrong labels among all answers, check them, and train on what is left.

    Returns:
        The suspected positions, most suspicious first, of each method, also of cleanlab if `confident_learning.py` has
        written them; the networks.
    """
    noisy = Labels(labels.rows, study.annotators().ask(labels.rows))
    scores = study.runs.keep("noise_scores", lambda: noise_scores(study, noisy, start))
    judged = study.runs.keep("out_of_fold", lambda: _out_of_fold(study, noisy, start))
    by_method = {
        O2U: scores["scores"],
        SINGLE_EPOCH: scores["single"],
        OUT_OF_FOLD: out_of_fold.expected_losses(judged["p"], noisy.given),
    }
    found = {name: o2u.suspects(each, noisy.given, CHECKED_SHARE) for name, each in by_method.items()}
    if (file := study.runs.folder / "cleanlab.npz").is_file():
        found[CLEANLAB] = np.load(file)["issues"]
    checked = found[O2U]
    kinds = {
        NOISY: noisy,
        CLEANED: noisy.corrected(checked, study.experts().ask(noisy.rows[checked])),
        RIGHT: Labels(noisy.rows, study.experts().ask(noisy.rows)),
    }
    return found, {name: _train(study, f"clean {name}", each, start) for name, each in kinds.items()}


def second_networks(study: Study, labels: Labels, first: Trained) -> dict[str, Trained]:
    """Train the second network of the cascade: on all pictures, and then on those that are hard for the first."""
    plain = _train(study, PLAIN_SECOND, labels, None, study.config.second)

    def on_hard(name: str, ordinary: int) -> Trained:
        def fit(network: keras.Model) -> dict[str, Any]:
            mine(first.network(), network, *study.of(labels), study.schedule(), ordinary=ordinary)
            return {}

        return study.runs.train(name, fit, study.config.second, plain)

    return {PLAIN_SECOND: plain, MINED_SECOND: on_hard(MINED_SECOND, 0), MIXED_SECOND: on_hard(MIXED_SECOND, _ORDINARY)}


def attend(study: Study, labels: Labels, start: Trained) -> Trained:
    """Train with attention in each block; the other weights start as those of the network without."""
    return _train(study, ATTENTION, labels, start, replace(study.config.trunk, cbam=True))


def share(study: Study, rows: IntsN) -> dict[str, Trained]:
    """Train one network for all attributes, and others for one attribute each, on the same pictures and right labels.

    Returns:
        The network for all as `SHARED`, and the others by attribute.
    """

    def train(name: str, attributes: tuple[str, ...]) -> Trained:
        def fit(network: keras.Model) -> dict[str, Any]:
            columns = [ATTRIBUTES.index(each) for each in attributes]
            supervise(network, study.pictures[rows], study.attributes[rows][:, columns], study.schedule())
            return {}

        return study.runs.train(f"task {name}", fit, study.config.trunk, heads=len(attributes))

    return {SHARED: train(SHARED, ATTRIBUTES), **{name: train(name, (name,)) for name in ALONE}}


def _out_of_fold(study: Study, labels: Labels, model: Trained) -> dict[str, Any]:
    """Return labels, and their probabilities by models that have not seen them, from the features of a network."""
    features = _features(model.network(), study.plain[labels.rows])
    return {"given": labels.given, "p": out_of_fold.probabilities(features, labels.given, np.arange(len(labels)))}


def _features(network: keras.Model, pictures: Plain) -> FloatsND:
    """Return the inputs of the heads, `[N, D]`."""
    features: FloatsND = keras.Model(network.input, network.get_layer("pooled").output).predict(pictures, verbose=0)
    return features


def _train(
    study: Study, name: str, labels: Labels, start: Trained | None, trunk: Architecture | None = None
) -> Trained:
    def fit(network: keras.Model) -> dict[str, Any]:
        supervise(network, *study.of(labels), study.schedule())
        return {}

    return study.runs.train(name, fit, trunk or study.config.trunk, start)
