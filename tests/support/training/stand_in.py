"""Networks small enough for tests in place of the real ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import pytest

from training.gender import model
from training.gender.backbones import BACKBONES


@contextmanager
def small_towers() -> Iterator[None]:
    """Build models with a small text tower and small backbones inside this context."""
    text_tower = partial(model.build_text_tower, size=16, layers=1, heads=2, feed_forward=16)
    with pytest.MonkeyPatch.context() as patch:
        for name, build in (("mobilenetv2", _small_network), ("densenet121", _small_dense_network)):
            patch.setitem(BACKBONES, name, replace(BACKBONES[name], build=build))
        patch.setattr(model, "build_text_tower", text_tower)
        yield


def build_small_encoder(width: float = 1.0, size: int | None = None) -> keras.Model:
    """In place of `training.pretrain.encoder.build_encoder`; `width` changes nothing."""
    pictures = keras.Input((size, size, 3), name="pictures")
    x = keras.layers.Rescaling(1 / 127.5, -1)(pictures)
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(8, 3, strides=2)(x))
    return keras.Model(pictures, keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x)), name="encoder")


def _small_network(*, include_top: bool, weights: None, pooling: str, input_shape: tuple[int, ...]) -> Any:
    assert (include_top, weights, pooling) == (False, None, "avg")
    image = keras.Input(input_shape)
    x = keras.layers.Conv2D(8, 5, strides=4, use_bias=False, name="Conv1")(image)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization(name="bn_Conv1")(x))
    x = keras.layers.Conv2D(16, 3, strides=2, activation="relu", name="Conv2")(x)
    return keras.Model(image, keras.layers.GlobalAveragePooling2D()(x), name="small")


def _small_dense_network(*, include_top: bool, weights: None, pooling: str, input_shape: tuple[int, ...]) -> Any:
    assert (include_top, weights, pooling) == (False, None, "avg")
    image = keras.Input(input_shape)
    x = keras.layers.Conv2D(16, 7, strides=8, activation="relu", name="conv1_conv")(image)
    for block in BACKBONES["densenet121"].blocks:
        new = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name=block.replace("concat", "2_conv"))(x)
        x = keras.layers.Concatenate(name=block)([x, new])
    x = keras.layers.BatchNormalization(name="bn")(x)
    return keras.Model(image, keras.layers.GlobalAveragePooling2D()(x), name="small_dense")
