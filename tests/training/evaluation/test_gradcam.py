"""Grad-CAM equals the class activation map and finite differences."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from numpy.typing import NDArray

from training.evaluation.gradcam import grad_cam, gradient, overlay


def numbers(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


def test_averaging_linear_head_gives_the_class_activation_map() -> None:
    maps, weights = numbers(3, 4, 5, 6), numbers(6, 1)
    head = keras.Sequential([keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)])
    head.build(maps.shape)
    head.set_weights([weights, np.array([0.7], np.float32)])
    assert grad_cam(head, maps) == pytest.approx(np.maximum((maps @ weights)[..., 0], 0) / (4 * 5), abs=1e-7)


def test_one_map_by_hand() -> None:
    maps = np.array([[[1.0, 2.0], [3.0, -4.0]]], np.float32)[..., None]
    # The gradients of the sum of squares are 2, 4, 6 and -8; their mean is 1.
    assert grad_cam(lambda a: ops.sum(a * a), maps).tolist() == [[[1, 2], [3, 0]]]


def test_gradient_equals_finite_differences() -> None:
    maps = numbers(2, 3, 3, 4)
    layers = [keras.layers.BatchNormalization(), keras.layers.Flatten(), keras.layers.Dense(5, "tanh")]
    head = keras.Sequential([*layers, keras.layers.Dropout(0.5), keras.layers.Dense(1)])
    head.build(maps.shape)
    assert gradient(lambda a: head(a, training=False), maps) == pytest.approx(differences(head, maps), abs=1e-3)


def differences(head: keras.Model, maps: NDArray[np.float32], step: float = 1e-2) -> NDArray[np.float32]:
    result = np.zeros_like(maps)
    for place in np.ndindex(*maps.shape[1:]):
        move = np.zeros_like(maps)
        move[(slice(None), *place)] = step
        up, down = (np.asarray(head(moved, training=False))[:, 0] for moved in (maps + move, maps - move))
        result[(slice(None), *place)] = (up - down) / (2 * step)
    return result


def test_unsupported_backend_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "openvino")
    with pytest.raises(NotImplementedError, match="got openvino"):
        gradient(ops.sum, numbers(1, 2, 2, 1))


def test_overlay_colors_by_heat() -> None:
    image = np.full((8, 8, 3), (90, 100, 110), np.uint8)
    assert pixels(overlay(image, np.zeros((2, 2)))) == {(100, 100, 100)}
    # The brightest color of the map "inferno" is 252, 255, 164.
    assert pixels(overlay(image, np.full((2, 2), 7.0), strength=1)) == {(252, 255, 164)}
    assert pixels(overlay(image, np.full((2, 2), 7.0), strength=0.5)) == {(176, 177, 132)}
    hot_corner = overlay(image, np.array([[1.0, 0.0], [0.0, 0.0]]))
    assert hot_corner[0, 0].tolist() != [100, 100, 100]
    assert hot_corner[-1, -1] == pytest.approx(100, abs=1)


def pixels(image: NDArray[Any]) -> set[tuple[int, ...]]:
    return {tuple(int(value) for value in pixel) for pixel in image.reshape(-1, 3)}
