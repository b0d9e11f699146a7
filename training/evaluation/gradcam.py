"""Grad-CAM: which places of an avatar speak for the answer (Selvaraju et al., 2017, arXiv 1610.02391)."""

from collections.abc import Callable
from typing import Any

import keras
import matplotlib
import numpy as np
from keras import ops
from numpy.typing import NDArray
from PIL import Image

from genderprep.tensors import PRESENT, TOKENS

from ..data.batches import Users
from ..gender.model import GENDER

Floats = NDArray[np.floating[Any]]
# From maps [B, h, w, K] to the scores that they explain, [B, 1], in Keras operations and as at inference.
Score = Callable[[Any], Any]


def explain(model: keras.Model, users: Users) -> Floats:
    """Grad-CAM, float [N, h, w], of a model of `build_fused_model` for the label that each user is given.

    The score is |fused logit|: the logit speaks for female, its negative for male. The maps are those that
    the image trunk averages at its end. A missing avatar gets zeros, for none of it reaches the logit.
    """
    maps_of, head = _cut(model)
    others = [ops.convert_to_tensor(users.tokens), ops.convert_to_tensor(users.present)]
    maps = maps_of.predict(users.images, batch_size=64, verbose=0)
    return grad_cam(lambda maps: ops.abs(head([maps, *others], training=False)), maps)


def grad_cam(score: Score, maps: Floats) -> Floats:
    """relu(sum_k alpha_k A_k), float [B, h, w], where alpha_k is the mean over places of d score / d A_k."""
    alpha = gradient(score, maps).mean(axis=(1, 2), keepdims=True)
    relu: Floats = np.maximum((alpha * maps).sum(axis=-1), 0)
    return relu


def gradient(score: Score, maps: Floats) -> Floats:
    """d score / d maps, float [B, h, w, K], on any Keras backend; no score may depend on another user's maps.

    Keras has no gradient of its own to call. It has an optimizer: after one step of plain gradient descent at
    rate 1, a zero that was added to the maps is minus the gradient.
    """
    nudged = _Nudged(score, maps.shape)
    nudged.compile(keras.optimizers.SGD(1.0), loss=lambda _, scores: ops.sum(scores), run_eagerly=True)
    nudged.train_on_batch(maps, np.zeros(len(maps)))
    left: Floats = ops.convert_to_numpy(nudged.nudge)
    return -left


def overlay(image: NDArray[np.uint8], heat: Floats, strength: float = 0.6) -> NDArray[np.uint8]:
    """The image, uint8 [S, S, 3], in grey under its heat [h, w], the hottest place as strong as `strength`."""
    height, width, _ = image.shape
    small = Image.fromarray((heat / (heat.max() or 1)).astype(np.float32))
    share = np.clip(np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)), 0, 1)
    colour = 255 * matplotlib.colormaps["inferno"](share)[..., :3]
    grey = image.mean(axis=-1, keepdims=True)
    mixed: NDArray[np.uint8] = np.rint(grey + strength * share[..., None] * (colour - grey)).astype(np.uint8)
    return mixed


class _Nudged(keras.Model):
    """The score of maps to which a weight is added, the only one: layers behind a function are not its own."""

    def __init__(self, score: Score, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.nudge = self.add_weight(shape=shape, initializer="zeros", name="nudge")
        self.of_sum: Score = lambda maps: score(maps + self.nudge)

    def call(self, maps: Any) -> Any:
        return self.of_sum(maps)


def _cut(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """In two: from pixels to the maps, and from `[maps, TOKENS, PRESENT]` to the fused logit."""
    tower = model.get_layer("image_tower")
    trunk = tower.get_layer("trunk")
    *_, normalise, network = trunk.layers
    average = network.layers[-1]
    maps_of = keras.Model(network.input, average.input)(normalise.output)
    avatar, *_ = model.get_layer("fusion").input
    others = [model.input[TOKENS], model.input[PRESENT]]
    fuse = keras.Model([avatar, *others], model.output[GENDER])
    maps = keras.Input(average.input.shape[1:])
    logit = fuse([tower.get_layer("projection")(average(maps)), *others])
    return keras.Model(trunk.input, maps_of), keras.Model([maps, *others], logit)
