"""The dual encoder as Triton serves it: what `preprocess` returns in, unit vectors of picture and title out."""

from typing import Any

import keras
from keras import ops

from genderprep.tensors import IMAGE, IMAGE_SIZE, MAX_TOKENS, PRESENT, TOKENS
from picturegallery.tensors import TITLE_VECTOR, VECTOR
from training.arrays import TensorBD
from training.pretrain.whitening import Whitening

# Positions in PRESENT.
_PICTURE, _TITLE = 0, 1


class ZeroIfMissing(keras.layers.Layer):
    """Return vectors `[B, D]`, zeros where the input is missing; call it with `[x [B, D], present [B, 2]]`.

    Args:
        position: The position of the input in `present`.
    """

    def __init__(self, position: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.position = position

    def call(self, inputs: list[Any]) -> TensorBD:
        x, present = inputs
        return ops.where(present[:, self.position, None], x, 0.0)


def serving_model(trained: keras.Model, whitening: Whitening) -> keras.Model:
    """Build the model for Triton, from `IMAGE`, `TOKENS` and `PRESENT` to `VECTOR` and `TITLE_VECTOR`.

    The encoder reads means of blocks of pixels, 2 × 2 for an encoder of 64 pixels. Whitening follows the picture tower
    and is followed by normalization to length 1, so that inner products are cosines.

    Args:
        trained: The `kept` model of `training.pretrain.methods` for the method `dual_encoder`.
        whitening: Fitted on the vectors of its picture tower.
    """
    image = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), dtype="uint8", name=IMAGE)
    tokens = keras.Input((MAX_TOKENS,), dtype="int32", name=TOKENS)
    present = keras.Input((2,), dtype="bool", name=PRESENT)
    pictures, titles = trained.get_layer("picture_tower"), trained.get_layer("title_tower")
    learned = pictures.get_layer("unit_vector")(_image_tower(pictures)(image))
    vectors = {VECTOR: _whiten(learned, whitening), TITLE_VECTOR: titles(tokens)}
    outputs = {
        name: ZeroIfMissing(position, name=name)([vectors[name], present])
        for name, position in ((VECTOR, _PICTURE), (TITLE_VECTOR, _TITLE))
    }
    return keras.Model({IMAGE: image, TOKENS: tokens, PRESENT: present}, outputs, name="picture_encoder")


def _image_tower(pictures: keras.Model) -> keras.Model:
    """Return the layers of the picture tower up to its features, behind means of blocks of pixels."""
    _, rescaling, network = pictures.layers[:3]
    pixels = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), dtype="uint8", name="pixels")
    means = keras.layers.AveragePooling2D(IMAGE_SIZE // pictures.input.shape[1], name="block_means")
    return keras.Model(pixels, network(means(rescaling(pixels))), name="image_tower")


def _whiten(vectors: Any, whitening: Whitening) -> Any:
    layer = keras.layers.Dense(whitening.matrix.shape[1], name="whitening")
    whitened = layer(vectors)
    layer.set_weights([whitening.matrix, -whitening.mean @ whitening.matrix])
    return keras.layers.UnitNormalization(axis=1, name="whitened_unit_vector")(whitened)
