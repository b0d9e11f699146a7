"""Trainings of the loop, kept on disk: a killed loop continues after its last complete training."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from ..arrays import FloatsN, FloatsNK
from .frozen import Weights
from .multitask import Architecture, build_network, predict
from .views import Plain

# Name of the probabilities of all pictures that may be labeled, which only the models of the rounds need.
POOL: Final = "pool"
_WEIGHT: Final = "weight/"


@dataclass(frozen=True)
class Trained:
    """A trained network, its predictions, and what else its training gave.

    Args:
        trunk: Its size.
        weights: Its weights by path.
        extra: `validation` and `test`, its probabilities of these sets, `cpu_s`, and what the training returned.
    """

    trunk: Architecture
    weights: Weights
    extra: Mapping[str, NDArray[Any]]

    def network(self) -> keras.Model:
        """Build the network again."""
        network = build_network(self.trunk, len(self.weights["logits/bias"]))
        set_weights(network, self.weights)
        return network


# Trains a network in place, and returns what else is to be kept.
Fit = Callable[[keras.Model], Mapping[str, Any]]


@dataclass(frozen=True)
class Runs:
    """Trains networks.

    Args:
        folder: Where they are kept.
        sets: Pictures of the sets `validation` and `test`, or their maps.
        seed: Seed of new weights.
        initial: Weights of new networks that are not random, by path.
    """

    folder: Path
    sets: Mapping[str, Plain] = field(repr=False)
    seed: int
    initial: Weights = field(default_factory=dict, repr=False)

    def train(self, name: str, fit: Fit, trunk: Architecture, start: Trained | None = None, heads: int = 1) -> Trained:
        """Train a network, or return the kept one of this name.

        Args:
            name: Of the training, unique.
            fit: Trains the network.
            trunk: The network's size.
            start: Where its weights start, as far as that network has them.
            heads: Attributes that it predicts; the predictions of one are `[N]`, those of several `[N, heads]`.
        """
        arrays = self.keep(name, lambda: self._train(name, fit, trunk, start, heads))
        weights = {key.removeprefix(_WEIGHT): each for key, each in arrays.items() if key.startswith(_WEIGHT)}
        return Trained(trunk, weights, {key: each for key, each in arrays.items() if not key.startswith(_WEIGHT)})

    def keep(self, name: str, compute: Callable[[], Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
        """Return arrays by name, from the disk if they were computed before."""
        return keep(self.folder / f"{name}.npz", compute)

    def _train(self, name: str, fit: Fit, trunk: Architecture, start: Trained | None, heads: int) -> dict[str, Any]:
        keras.backend.clear_session()
        keras.utils.set_random_seed(self.seed)
        started = time.process_time()
        network = build_network(trunk, heads)
        set_weights(network, start.weights if start else self.initial)
        extra = fit(network)
        seconds = time.process_time() - started
        print(f"{self.folder.name}: {name}: {seconds:.0f} s", flush=True)
        return {
            **{f"{_WEIGHT}{each.path}": ops.convert_to_numpy(each) for each in network.weights},
            **{each: _scores(network, pictures) for each, pictures in self.sets.items()},
            **extra,
            "cpu_s": np.array(seconds),
        }


def keep(file: Path, compute: Callable[[], Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    """Return the arrays of an npz, which is computed and written if it does not exist."""
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name(f"new_{file.name}")
        np.savez(new, **compute())
        new.replace(file)
    with np.load(file) as arrays:
        return dict(arrays)


def set_weights(network: keras.Model, weights: Weights) -> None:
    """Set the weights that are given by path, and leave the others."""
    for each in network.weights:
        if each.path in weights:
            each.assign(weights[each.path])


def _scores(network: keras.Model, pictures: Plain) -> FloatsN | FloatsNK:
    scores = predict(network, pictures)
    return scores[:, 0] if scores.shape[1] == 1 else scores
