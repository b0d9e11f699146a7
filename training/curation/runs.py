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

from ..arrays import ImagesNSS3
from .multitask import build_network, predict
from .network import Trunk

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

    trunk: Trunk
    weights: Mapping[str, NDArray[Any]]
    extra: Mapping[str, NDArray[Any]]

    def network(self) -> keras.Model:
        """Build the network again."""
        network = build_network(self.trunk, 1)
        set_weights(network, self.weights)
        return network


# Trains a network in place, and returns what else is to be kept.
Fit = Callable[[keras.Model], Mapping[str, Any]]


@dataclass(frozen=True)
class Runs:
    """Trains networks that predict one attribute.

    Args:
        folder: Where they are kept.
        sets: Pictures of the sets `validation` and `test`.
        seed: Seed of new weights.
    """

    folder: Path
    sets: Mapping[str, ImagesNSS3] = field(repr=False)
    seed: int

    def train(self, name: str, fit: Fit, trunk: Trunk, start: Trained | None = None) -> Trained:
        """Train a network, or return the kept one of this name.

        Args:
            name: Of the training, unique.
            fit: Trains the network.
            trunk: The network's size.
            start: Where its weights start, as far as that network has them.
        """
        arrays = self.keep(name, lambda: self._train(name, fit, trunk, start))
        weights = {key.removeprefix(_WEIGHT): each for key, each in arrays.items() if key.startswith(_WEIGHT)}
        return Trained(trunk, weights, {key: each for key, each in arrays.items() if not key.startswith(_WEIGHT)})

    def keep(self, name: str, compute: Callable[[], Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
        """Return arrays by name, from the disk if they were computed before."""
        file = self.folder / f"{name}.npz"
        if not file.is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            new = file.with_name("new.npz")
            np.savez_compressed(new, **compute())
            new.replace(file)
        with np.load(file) as arrays:
            return dict(arrays)

    def _train(self, name: str, fit: Fit, trunk: Trunk, start: Trained | None) -> dict[str, Any]:
        keras.backend.clear_session()
        keras.utils.set_random_seed(self.seed)
        started = time.process_time()
        network = build_network(trunk, 1)
        if start:
            set_weights(network, start.weights)
        extra = fit(network)
        seconds = time.process_time() - started
        print(f"{self.folder.name}: {name}: {seconds:.0f} s", flush=True)
        return {
            **{f"{_WEIGHT}{each.path}": ops.convert_to_numpy(each) for each in network.weights},
            **{each: predict(network, pictures)[:, 0] for each, pictures in self.sets.items()},
            **extra,
            "cpu_s": np.array(seconds),
        }


def set_weights(network: keras.Model, weights: Mapping[str, NDArray[Any]]) -> None:
    """Set the weights that are given by path, and leave the others."""
    for each in network.weights:
        if each.path in weights:
            each.assign(weights[each.path])
