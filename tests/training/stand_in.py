"""A trunk small enough for tests, in the place of MobileNetV2."""

from typing import Any

import keras
import pytest

from training import backbones


def stand_in_for_mobilenet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(backbones._BUILDERS, "mobilenetv2", _small_network)


def _small_network(*, include_top: bool, weights: None, pooling: str, input_shape: tuple[int, ...]) -> Any:
    assert (include_top, weights, pooling) == (False, None, "avg")
    image = keras.Input(input_shape)
    x = keras.layers.Conv2D(8, 5, strides=4, use_bias=False, name="Conv1")(image)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization(name="bn_Conv1")(x))
    return keras.Model(image, keras.layers.GlobalAveragePooling2D()(x), name="small")
