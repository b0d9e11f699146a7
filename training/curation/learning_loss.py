"""Learning loss: predict which pictures of a pair has the larger loss, to choose what to label.

Yoo and Kweon, 2019 (https://arxiv.org/abs/1905.03677).
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from ..arrays import FloatsN, Shape, TensorB, TensorBHWC
from .multitask import multitask_losses, with_taps
from .views import Plain

_PREDICTED_AT_ONCE = 256


def pair_ranking_loss(predicted: TensorB, losses: TensorB, margin: float = 1.0) -> Any:
    """Return the mean over pairs of max(0, −s (l̂_i − l̂_j) + ξ), where s is 1 if l_i > l_j, else −1 (section 3.3).

    Picture i is paired with picture B − 1 − i. The true losses receive no gradient.

    Args:
        predicted: l̂ `[B]`.
        losses: l `[B]`.
        margin: ξ.

    Raises:
        ValueError: B is odd.
    """
    count = predicted.shape[0]
    if count is not None and count % 2:
        raise ValueError(f"expected an even batch, to pair its pictures, got {count}")
    gaps, true_gaps = (_first_half(each - ops.flip(each)) for each in (predicted, ops.stop_gradient(losses)))
    signs = 2 * ops.cast(true_gaps > 0, gaps.dtype) - 1
    return ops.mean(ops.relu(margin - signs * gaps))


class LossPrediction(keras.layers.Layer):
    """The module that predicts losses `[B]` from taps, feature maps `[B, H, W, C]` each (figure 2).

    Args:
        dims: Hidden units of each tap.
    """

    def __init__(self, dims: int = 128, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = dims

    def build(self, shapes: list[Shape]) -> None:
        self.hidden = [keras.layers.Dense(self.dims, activation="relu") for _ in shapes]
        for layer, shape in zip(self.hidden, shapes, strict=True):
            layer.build((None, shape[-1]))
        self.last = keras.layers.Dense(1)
        self.last.build((None, self.dims * len(shapes)))

    def call(self, taps: list[TensorBHWC]) -> TensorB:
        pooled = [ops.mean(each, axis=(1, 2)) for each in taps]
        hidden = [layer(each) for layer, each in zip(self.hidden, pooled, strict=True)]
        return self.last(ops.concatenate(hidden, axis=1))[:, 0]

    def compute_output_shape(self, shapes: list[Shape]) -> Shape:
        return shapes[0][:1]


class LearningLoss(keras.Model):
    """Trains a network and the prediction of its losses; call it with `[pictures, labels [B, T]]` for the loss `[B]`.

    Args:
        network: The trained network, of `build_network`.
        detach_after: Steps after which the module's gradient no longer reaches the network; the paper has 120 of 200
            epochs.
        weight: λ of the ranking loss.
        margin: ξ.
    """

    def __init__(self, network: keras.Model, detach_after: int, weight: float = 1.0, margin: float = 1.0) -> None:
        super().__init__(name="learning_loss")
        self.tapped, self.module = with_taps(network), LossPrediction(name="loss_prediction")
        self.detach_after, self.weight, self.margin = detach_after, weight, margin
        self.steps = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="steps")

    def call(self, inputs: list[Any], training: bool | None = None) -> TensorB:
        pictures, labels = inputs
        logits, *taps = self.tapped(pictures, training=training)
        losses = multitask_losses(logits, labels)
        detached = self.steps >= self.detach_after
        predicted = self.module([ops.where(detached, ops.stop_gradient(each), each) for each in taps])
        if training:
            self.steps.assign(self.steps + 1)
        return losses + self.weight * pair_ranking_loss(predicted, losses, self.margin)

    def predict_pool(self, pictures: Plain) -> tuple[FloatsN, FloatsN]:
        """Return the probability of the first attribute and the predicted loss of pictures or their maps.

        Only the order of the predicted losses has a meaning.
        """
        parts = range(_PREDICTED_AT_ONCE, len(pictures), _PREDICTED_AT_ONCE)
        p, losses = zip(*(self._predict(part) for part in np.split(pictures, parts)), strict=True)
        return np.concatenate(p), np.concatenate(losses)

    def _predict(self, pictures: TensorBHWC) -> tuple[FloatsN, FloatsN]:
        logits, *taps = self.tapped(ops.cast(pictures, "float32"), training=False)
        return ops.convert_to_numpy(ops.sigmoid(logits[:, 0])), ops.convert_to_numpy(self.module(taps))

    def compute_output_shape(self, shapes: list[Shape]) -> Shape:
        return shapes[0][:1]


def _first_half(values: TensorB) -> TensorB:
    return values[: ops.shape(values)[0] // 2]
