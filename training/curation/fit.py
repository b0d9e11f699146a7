"""Train the networks of this folder in place.

Unless stated otherwise, a function returns the mean loss of the last twentieth of the steps.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
from keras import ops

from ..arrays import FloatsEN, IntsN, IntsNK, Shape, TensorB
from ..pretrain.moco import mean_loss
from . import o2u, views
from .fixmatch import FixMatch
from .learning_loss import LearningLoss
from .mean_teacher import MeanTeacher
from .mining import HardExampleMining
from .multitask import UNLABELED, Supervised, cross_entropies
from .views import Plain, Views

_WARM_UP: Final = 0.1
# Learning rates of a training.
_RATES: Final = 20
# Share of the steps after which the gradient of the predicted losses no longer reaches the network.
_DETACH_AFTER: Final = 0.6
# Share of the steps until consistency has its full weight.
_RAMP: Final = 0.25


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a network is trained.

    Args:
        steps: Batches, in multiples of 20.
        batch: B.
        learning_rate: Peak of a cosine schedule with warm-up, of AdamW.
        weight_decay: Of AdamW.
        seed: Seed of views and order.
    """

    steps: int
    batch: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    seed: int = 0


def supervise(network: keras.Model, pictures: Views, labels: IntsNK, schedule: Schedule) -> float:
    """Train on labeled pictures, or on maps of their views, with labels `[N, T]`."""
    seen, known = _inputs(network, pictures)
    loss = Supervised(network)([views.strong(seen, known, schedule.seed), known])
    return _fit(keras.Model([seen, known], loss), _batches(pictures, labels, schedule), schedule)


def supervise_with_losses(network: keras.Model, pictures: Views, labels: IntsNK, schedule: Schedule) -> LearningLoss:
    """Train on labeled pictures, and train a module that predicts the losses of others; return it."""
    seen, known = _inputs(network, pictures)
    objective = LearningLoss(network, round(_DETACH_AFTER * schedule.steps))
    model = keras.Model([seen, known], objective([views.strong(seen, known, schedule.seed), known]))
    _fit(model, _batches(pictures, labels, schedule), schedule)
    return objective


def mean_teacher(
    student: keras.Model,
    pictures: Views,
    labels: IntsNK,
    unlabeled: Views,
    schedule: Schedule,
    labeled_share: float = 0.25,
) -> keras.Model:
    """Train a student on labeled and unlabeled pictures, and return its teacher."""
    seen, known = _inputs(student, pictures)
    both = [views.strong(seen, known, schedule.seed + offset) for offset in (0, 10)]
    teacher = keras.models.clone_model(student)
    objective = MeanTeacher(student, teacher, ramp=max(1, round(_RAMP * schedule.steps)))
    model = keras.Model([seen, known], objective([*both, known]))
    _fit(model, _mixed_batches(pictures, labels, unlabeled, labeled_share, schedule), schedule)
    objective.update_teacher()
    return teacher


def fixmatch(
    network: keras.Model,
    pictures: Views,
    labels: IntsNK,
    unlabeled: Views,
    schedule: Schedule,
    labeled_share: float = 0.25,
) -> float:
    """Train on labeled and unlabeled pictures with pseudo-labels."""
    seen, known = _inputs(network, pictures)
    weak = views.weak(seen, schedule.seed + 10)
    loss = FixMatch(network)([weak, views.strong(seen, known, schedule.seed), known])
    batches = _mixed_batches(pictures, labels, unlabeled, labeled_share, schedule)
    return _fit(keras.Model([seen, known], loss), batches, schedule)


def mine(
    first: keras.Model,
    second: keras.Model,
    pictures: Views,
    labels: IntsNK,
    schedule: Schedule,
    column: int = -1,
    count: int = 16,
    ordinary: int = 0,
) -> float:
    """Train the first network on all labeled pictures, and the second on the hardest `count` of each batch.

    Args:
        first: From pictures to logits `[B, T]`.
        second: From pictures to one logit `[B, 1]`, of the attribute `column`.
        pictures: `[N, S, S, 3]`.
        labels: `[N, T]`; all pictures are labeled for the attribute `column`.
        schedule: The settings.
        column: Position of the second network's attribute.
        count: Pictures of each batch that reach the second network because they are hard.
        ordinary: Those that reach it besides, whatever their loss.
    """
    seen, known = _inputs(first, pictures)
    objective = HardExampleMining(first, second, column % labels.shape[1], schedule.batch, count, ordinary)
    model = keras.Model([seen, known], objective([views.strong(seen, known, schedule.seed), known]))
    return _fit(model, _batches(pictures, labels, schedule), schedule)


def cyclic_losses(
    network: keras.Model, pictures: Plain, labels: IntsNK, epochs: int, batch: int = 16, seed: int = 0
) -> FloatsEN:
    """Train at O2U's cyclic learning rate and return the loss of each picture in each epoch, `[E, N]`.

    The losses are those of the training pass, on pictures, or their maps, without augmentation.
    """
    pixels, known = _inputs(network, pictures)
    rows = keras.Input((), dtype="int32", name="rows")
    log = LossLog(network, len(pictures))
    model = keras.Model([pixels, known, rows], log([ops.cast(pixels, "float32"), known, rows]))
    optimizer = keras.optimizers.SGD(o2u.cyclic_rate(1), momentum=0.9, weight_decay=5e-4)
    model.compile(optimizer, loss=mean_loss, jit_compile=False)
    optimizer.build(model.trainable_variables)
    rng = np.random.default_rng(seed)
    losses = np.empty((epochs, len(pictures)))
    for epoch in range(epochs):
        optimizer.learning_rate = o2u.cyclic_rate(epoch + 1)
        for part in np.array_split(rng.permutation(len(pictures)), -(-len(pictures) // batch)):
            model.train_on_batch((pictures[part], labels[part], part), np.zeros(len(part), np.float32))
        losses[epoch] = ops.convert_to_numpy(log.seen)
    return losses


class LossLog(keras.Model):
    """Supervised training that keeps the last loss of each picture in `seen` `[N]`.

    Call it with `[pictures [B, S, S, 3], labels [B, T], rows [B]]` to get the loss `[B]`.
    """

    def __init__(self, network: keras.Model, pictures: int) -> None:
        super().__init__(name="loss_log")
        self.network = network
        self.seen = self.add_weight(shape=(pictures,), initializer="zeros", trainable=False, name="seen")

    def call(self, inputs: list[Any], training: bool | None = None) -> TensorB:
        pictures, labels, rows = inputs
        losses = ops.sum(cross_entropies(self.network(pictures, training=training), labels), axis=1)
        if training:
            self.seen.assign(ops.scatter_update(self.seen.value, rows[:, None], ops.stop_gradient(losses)))
        return losses

    def compute_output_shape(self, shapes: list[Shape]) -> Shape:
        return shapes[0][:1]


def _inputs(network: keras.Model, pictures: Views) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    seen = keras.Input(pictures.shape[1:], dtype=str(pictures.dtype), name="pictures")
    return seen, keras.Input(network.output_shape[1:], dtype="int8", name="labels")


def _batches(pictures: Views, labels: IntsNK, schedule: Schedule) -> Iterator[tuple[Any, Any]]:
    """Yield batches of pictures and labels with dummy targets, without end."""
    for part in _endless(len(pictures), schedule.batch, schedule.seed):
        yield (pictures[part], labels[part]), np.zeros(len(part), np.float32)


def _mixed_batches(
    pictures: Views, labels: IntsNK, unlabeled: Views, share: float, schedule: Schedule
) -> Iterator[tuple[Any, Any]]:
    """Yield batches of which a share is labeled, without end."""
    count = round(share * schedule.batch)
    nothing = np.full((schedule.batch - count, labels.shape[1]), UNLABELED, labels.dtype)
    known, others = (
        _endless(len(each), size, schedule.seed + offset)
        for offset, (each, size) in enumerate(((pictures, count), (unlabeled, schedule.batch - count)))
    )
    for part, other in zip(known, others, strict=True):
        pixels = np.concatenate([pictures[part], unlabeled[other]])
        yield (pixels, np.concatenate([labels[part], nothing])), np.zeros(len(pixels), np.float32)


def _endless(total: int, batch: int, seed: int) -> Iterator[IntsN]:
    """Yield rows of batches, each row once before any repeats."""
    rng = np.random.default_rng(seed)
    rows = np.empty(0, int)
    while True:
        while len(rows) < batch:
            rows = np.concatenate([rows, rng.permutation(total)])
        yield rows[:batch]
        rows = rows[batch:]


def _fit(model: keras.Model, batches: Iterator[tuple[Any, Any]], schedule: Schedule) -> float:
    # The rate changes between epochs: with a schedule inside the optimizer, compiling would take longer than training.
    model.compile(keras.optimizers.AdamW(weight_decay=schedule.weight_decay), loss=mean_loss, jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    rate = keras.callbacks.LearningRateScheduler(lambda epoch: learning_rate(epoch / _RATES, schedule.learning_rate))
    steps = max(1, round(schedule.steps / _RATES))
    history = model.fit(batches, epochs=_RATES, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=[rate])
    return float(history.history["loss"][-1])


def learning_rate(done: float, peak: float) -> float:
    """Return the rate when a share of the training is done: a tenth of warm-up, then half a cosine."""
    if done < _WARM_UP:
        return peak * (done + 1 / _RATES) / (_WARM_UP + 1 / _RATES)
    return peak * (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP))) / 2
