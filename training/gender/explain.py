"""Grad-CAM of the fused gender model."""

import keras
from keras import ops

from genderprep.tensors import PRESENT, TOKENS

from ..arrays import FloatsNHW
from ..data.batches import Users
from ..evaluation.gradcam import grad_cam
from .model import GENDER


def explain(model: keras.Model, users: Users) -> FloatsNHW:
    """Return the Grad-CAM heat of each avatar for the predicted label.

    The explained score is |fused logit|, since a positive logit predicts female and a negative one male. The maps
    are those that the image trunk averages at its end. A missing avatar has zero heat.
    """
    maps_of, head = _split(model)
    others = [ops.convert_to_tensor(users.tokens), ops.convert_to_tensor(users.present)]
    maps = maps_of.predict(users.images, batch_size=64, verbose=0)
    return grad_cam(lambda maps: ops.abs(head([maps, *others], training=False)), maps)


def _split(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Split a fused model into two: images to maps, and `[maps, TOKENS, PRESENT]` to the fused logit."""
    tower = model.get_layer("image_tower")
    trunk = tower.get_layer("trunk")
    *_, normalization, network = trunk.layers
    average = network.layers[-1]
    maps_of = keras.Model(network.input, average.input)(normalization.output)
    avatar, *_ = model.get_layer("fusion").input
    others = [model.input[TOKENS], model.input[PRESENT]]
    fuse = keras.Model([avatar, *others], model.output[GENDER])
    maps = keras.Input(average.input.shape[1:])
    logit = fuse([tower.get_layer("projection")(average(maps)), *others])
    return keras.Model(trunk.input, maps_of), keras.Model([maps, *others], logit)
