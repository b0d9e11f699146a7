"""Small training jobs, and the same training in one place."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from training.layers import Compressor
from training.ranking.ams.compression import Compression
from training.ranking.ams.samples import Samples, draw_samples, read_samples, write_samples, write_vectors

DIMS, UNITS = 16, (8, 6, 4)
COMPRESSION = Compression((DIMS, *UNITS))
PICTURES, HISTORY, STEPS, WORKERS = 60, 6, 3, 2
# Of unequal sizes: a mean of the workers' means would be another loss.
ROWS = [[np.arange(step * 12, step * 12 + 12), np.arange(step * 5, step * 5 + 5)] for step in range(STEPS)]


@dataclass(frozen=True)
class Files:
    """The files of a job: raw vectors, and samples of each worker."""

    vectors: Path
    samples: list[Path]


def write_files(folder: Path, dtype: str = "float32") -> Files:
    vectors = folder / f"{dtype}.npy"
    write_vectors(vectors, PICTURES, DIMS, dtype, seed=0)
    samples = [folder / f"samples_{worker}.npz" for worker in range(WORKERS)]
    for seed, file in enumerate(samples):
        write_samples(file, draw_samples(40, PICTURES, HISTORY, seed))
    return Files(vectors, samples)


def set_compressor(layer: Any, theta: Any) -> None:
    for dense, slope, values in zip(layer.dense, layer.slopes, COMPRESSION.layers(theta), strict=True):
        dense.set_weights([values.weights, values.bias])
        slope.assign(values.slope)


def compressor_parameters(layer: Any) -> Any:
    pairs = zip(layer.dense, layer.slopes, strict=True)
    arrays = [part for dense, slope in pairs for part in (*dense.get_weights(), ops.convert_to_numpy(slope))]
    return np.concatenate([np.ravel(array) for array in arrays])


class Towers(keras.layers.Layer):  # type: ignore[misc]
    """The logit of a picture, written with Keras."""

    def build(self, _: Any) -> None:
        self.taste = self.add_weight(shape=(UNITS[-1],), initializer="ones")
        self.popularity = self.add_weight(shape=(UNITS[-1],), initializer="zeros")
        self.bias = self.add_weight(shape=(1,), initializer="zeros")

    def call(self, inputs: list[Any]) -> Any:
        history, mask, candidate = inputs
        user = ops.sum(history * mask[..., None], axis=1) / ops.maximum(ops.sum(mask, axis=1, keepdims=True), 1)
        return ops.sum(user * candidate * self.taste + candidate * self.popularity, axis=1, keepdims=True) + self.bias


def train_in_one_place(files: Files, theta: Any) -> tuple[list[float], Any, Any]:
    """Train by Keras on the rows of all workers; returns losses and the parameters of compressor and towers."""
    compressor, towers = Compressor(UNITS), Towers()
    history, mask, candidate = keras.Input((HISTORY, DIMS)), keras.Input((HISTORY,)), keras.Input((DIMS,))
    model = keras.Model([history, mask, candidate], towers([compressor(history), mask, compressor(candidate)]))
    set_compressor(compressor, theta)
    model.compile(keras.optimizers.Adam(1e-3), keras.losses.BinaryCrossentropy(from_logits=True))
    samples = [read_samples(file) for file in files.samples]
    raw = np.load(files.vectors).astype(np.float32)
    losses = []
    for rows in ROWS:
        taken = concatenate([each.take(part) for each, part in zip(samples, rows, strict=True)])
        inputs = [raw[taken.history], taken.mask.astype(np.float32), raw[taken.candidates]]
        losses.append(float(model.train_on_batch(inputs, taken.liked[:, None], return_dict=True)["loss"]))
        model.reset_metrics()
    return losses, compressor_parameters(compressor), np.concatenate([np.ravel(each) for each in towers.get_weights()])


def concatenate(samples: Sequence[Samples]) -> Samples:
    return Samples(*(np.concatenate([getattr(each, name) for each in samples]) for name in Samples.__annotations__))
