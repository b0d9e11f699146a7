"""Each idea of article 003 against its alternatives, from the same state of the loop."""

from collections.abc import Callable
from typing import Any, Final

import keras
import numpy as np

from ..arrays import IntsN
from . import o2u, selection
from .fit import mine, supervise
from .network import Trunk
from .rounds import CHECKED_SHARE, PREDICTED, choose, noise_scores
from .runs import POOL, Trained
from .study import Labels, Study

ALL, BOTH, LOSS = "all", "band ∪ predicted loss", "predicted loss"
ENTROPY, RANDOM, CORE_SET = "entropy", "random", "core-set"
STRATEGIES: Final = (ALL, BOTH, LOSS, ENTROPY, RANDOM, CORE_SET)
NOISY, CLEANED, RIGHT = "noisy", "cleaned by O2U", "right"
O2U, SINGLE_EPOCH = "O2U", "loss of one epoch"
PLAIN_SECOND, MINED_SECOND = "second network", "second network, hard examples"
ATTENTION: Final = "CBAM in blocks"
_CHOICE: Final = 100


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
        The suspected positions, most suspicious first, of each method; the networks.
    """
    noisy = Labels(labels.rows, study.annotators().ask(labels.rows))
    scores = study.runs.keep("noise_scores", lambda: noise_scores(study, noisy, start))
    found = {
        name: o2u.suspects(scores[key], noisy.given, CHECKED_SHARE)
        for name, key in ((O2U, "scores"), (SINGLE_EPOCH, "single"))
    }
    checked = found[O2U]
    kinds = {
        NOISY: noisy,
        CLEANED: noisy.corrected(checked, study.experts().ask(noisy.rows[checked])),
        RIGHT: Labels(noisy.rows, study.experts().ask(noisy.rows)),
    }
    return found, {name: _train(study, f"clean {name}", each, start) for name, each in kinds.items()}


def second_networks(study: Study, labels: Labels, first: Trained) -> dict[str, Trained]:
    """Train the second network of the cascade: on all pictures, and then on those that are hard for the first."""

    def hard(network: keras.Model) -> dict[str, Any]:
        mine(first.network(), network, *study.of(labels), study.schedule())
        return {}

    plain = _train(study, PLAIN_SECOND, labels, None, study.config.second)
    return {PLAIN_SECOND: plain, MINED_SECOND: study.runs.train(MINED_SECOND, hard, study.config.second, plain)}


def attend(study: Study, labels: Labels, start: Trained) -> Trained:
    """Train with attention in each block; the other weights start as those of the network without."""
    trunk = study.config.trunk
    return _train(study, ATTENTION, labels, start, Trunk(trunk.size, trunk.width, trunk.blocks, cbam=True))


def _train(study: Study, name: str, labels: Labels, start: Trained | None, trunk: Trunk | None = None) -> Trained:
    def fit(network: keras.Model) -> dict[str, Any]:
        supervise(network, *study.of(labels), study.schedule())
        return {}

    return study.runs.train(name, fit, trunk or study.config.trunk, start)
