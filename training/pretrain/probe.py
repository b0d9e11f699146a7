"""Linear probe and fine-tuning: how far an encoder gets with labels, all of them or few."""

from dataclasses import dataclass
from typing import Final

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..arrays import FloatsND, ImagesNSS3, IntsN
from ..engine.batch_norm import lower_batch_norm_momentum

_MAX_ITERATIONS: Final = 100

Labels = NDArray[np.str_] | NDArray[np.object_]


@dataclass(frozen=True)
class FineTuning:
    """How an encoder is fine-tuned.

    Args:
        epochs: Passes over the labeled pictures.
        batch: B.
        learning_rate: Peak of a cosine schedule, of AdamW.
        seed: Seed of the classifier and of the order.
    """

    epochs: int = 10
    batch: int = 16
    learning_rate: float = 1e-3
    seed: int = 0


def linear_probe(x: FloatsND, labels: Labels, test: FloatsND, seed: int = 0) -> Labels:
    """Predict the labels of test embeddings `[M, D]` by logistic regression on frozen embeddings `[N, D]`."""
    classifier = LogisticRegression(max_iter=_MAX_ITERATIONS, random_state=seed)
    predicted: Labels = make_pipeline(StandardScaler(), classifier).fit(x, labels).predict(test)
    return predicted


def fine_tune(encoder: keras.Model, pixels: ImagesNSS3, labels: Labels, test: ImagesNSS3, tuning: FineTuning) -> Labels:
    """Train the encoder and a new classifier on few labeled pictures, and predict the labels of test pictures.

    Args:
        encoder: From pictures, float `[B, S, S, 3]` in 0..255, to features; its weights change.
        pixels: Labeled pictures `[N, S, S, 3]`.
        labels: Their labels `[N]`.
        test: Pictures `[M, S, S, 3]`.
        tuning: The settings.
    """
    keras.utils.set_random_seed(tuning.seed)
    classes, targets = np.unique(labels, return_inverse=True)
    lower_batch_norm_momentum(encoder)
    model = keras.Sequential([encoder, keras.layers.Dense(len(classes))])
    steps = tuning.epochs * -(-len(pixels) // tuning.batch)
    model.compile(
        keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(tuning.learning_rate, steps)),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(pixels.astype(np.float32), targets, batch_size=tuning.batch, epochs=tuning.epochs, verbose=0)
    logits = model.predict(test.astype(np.float32), batch_size=256, verbose=0)
    predicted: Labels = classes[logits.argmax(axis=1)]
    return predicted


def few_labels(labels: Labels, per_class: int, seed: int = 0) -> IntsN:
    """Choose rows, `per_class` of each label, or all of a rarer one."""
    order = np.random.default_rng(seed).permutation(len(labels))
    rank = np.zeros(len(labels), int)
    for name in np.unique(labels):
        rows = order[labels[order] == name]
        rank[rows] = np.arange(len(rows))
    chosen: IntsN = np.flatnonzero(rank < per_class)
    return chosen
