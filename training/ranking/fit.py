"""Train a ranker on sessions in memory, and calibrate it."""

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression

from ..arrays import BoolsN, FloatsND, FloatsNK
from ..engine.schedules import warmed_cosine
from ..losses.masked_cross_entropy import PADDING, masked_cross_entropy
from .config import Config
from .examples import Examples, batches
from .model import Ranker

_WARM_UP = 0.1
# On TensorFlow, XLA takes some seconds to compile, and then half of the time of a step.
_COMPILED_STEPS = 300


def fit(model: keras.Model, config: Config, examples: Examples, known: BoolsN) -> list[float]:
    """Train a model of sessions on all epochs, and return the mean loss of each in nats."""
    steps = len(examples) // config.batch
    total = config.epochs * steps
    schedule = warmed_cosine(config.learning_rate, total, _WARM_UP)
    # Other backends compile as they do by default: JAX always, PyTorch never.
    jit_compile = total > _COMPILED_STEPS if keras.backend.backend() == "tensorflow" else "auto"
    model.compile(keras.optimizers.Adam(schedule), loss=masked_cross_entropy, jit_compile=jit_compile)
    # Created in the first step, they would make TensorFlow trace it twice.
    model.optimizer.build(model.trainable_variables)
    names = list(model.input)
    losses = [
        model.train_on_batch({name: inputs[name] for name in names}, liked)
        for inputs, liked in batches(examples, config, known)
    ]
    return [float(np.mean(epoch)) for epoch in np.split(np.asarray(losses), config.epochs)]


def predict_logits(model: keras.Model, examples: Examples, known: BoolsN, batch: int = 512) -> FloatsNK:
    """Return the logits of all candidates, [N, K]."""
    order = np.argsort((examples.history > 0).sum(axis=1), kind="stable")
    logits = np.empty(examples.candidates.shape, np.float32)
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        inputs = examples.rows(rows).inputs(known)
        logits[rows] = model.predict_on_batch({name: inputs[name] for name in model.input})
    return logits


def calibrate(ranker: Ranker | None, logits: FloatsNK, examples: Examples) -> tuple[float, float]:
    """Fit Platt scaling on held-out sessions, and return its slope and offset; fold it into a ranker's weights."""
    shown = examples.liked != PADDING
    fitted = LogisticRegression(C=np.inf).fit(logits[shown][:, None], examples.liked[shown])
    slope, offset = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    if ranker is not None:
        ranker.rescale(slope, offset)
    return slope, offset


def picture_table(vectors: FloatsND) -> FloatsND:
    """Return the table of pictures [P + 1, D] of vectors [P, D]: a row of zeros first, for padding."""
    table: FloatsND = np.concatenate([np.zeros((1, vectors.shape[1])), vectors]).astype(np.float32)
    return table
