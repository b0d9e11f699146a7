"""Grad-CAM against the class activation map, against differences, and on the two towers."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from numpy.typing import NDArray

from genderprep.tensors import IMAGE_SIZE, MAX_TOKENS
from tests.support.training.stand_in import small_towers
from training.data.batches import Users
from training.evaluation.gradcam import grad_cam, gradient, overlay
from training.gender.explain import explain
from training.gender.model import GENDER, build_fused_model, predict_logits


def numbers(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(1)
    with small_towers():
        return build_fused_model("mobilenetv2")


@pytest.fixture(scope="module")
def users() -> Users:
    dice = np.random.default_rng(1)
    present = np.array([[True, True], [True, False], [False, True], [False, False]])
    return Users(
        images=dice.integers(0, 256, (4, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8),
        tokens=dice.integers(1, 50, (4, MAX_TOKENS), np.int32),
        present=present,
        female=np.ones((4, 1), np.float32),
        weights=np.ones(4, np.float32),
    )


def test_it_is_the_class_activation_map_of_an_averaging_linear_head() -> None:
    maps, weights = numbers(3, 4, 5, 6), numbers(6, 1)
    head = keras.Sequential([keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)])
    head.build(maps.shape)
    head.set_weights([weights, np.array([0.7], np.float32)])
    class_activation_map = (maps @ weights)[..., 0]
    assert grad_cam(head, maps) == pytest.approx(np.maximum(class_activation_map, 0) / (4 * 5), abs=1e-7)


def test_one_map_by_hand() -> None:
    maps = np.array([[[1.0, 2.0], [3.0, -4.0]]], np.float32)[..., None]
    # The sum of squares: gradients 2, 4, 6, -8, of which the mean is 1.
    assert grad_cam(lambda a: ops.sum(a * a), maps).tolist() == [[[1, 2], [3, 0]]]


def test_gradient_equals_differences_and_leaves_the_head_alone() -> None:
    maps = numbers(2, 3, 3, 4)
    layers = [keras.layers.BatchNormalization(), keras.layers.Flatten(), keras.layers.Dense(5, "tanh")]
    head = keras.Sequential([*layers, keras.layers.Dropout(0.5), keras.layers.Dense(1)])
    head.build(maps.shape)
    before = head.get_weights()
    found = gradient(lambda a: head(a, training=False), maps)
    assert all(np.array_equal(left, right) for left, right in zip(before, head.get_weights(), strict=True))
    assert found == pytest.approx(differences(head, maps), abs=1e-3)


def differences(head: keras.Model, maps: NDArray[np.float32], step: float = 1e-2) -> NDArray[np.float32]:
    """The slow, obvious gradient: every number of every user's maps moved a little up and a little down."""
    result = np.zeros_like(maps)
    for place in np.ndindex(*maps.shape[1:]):
        move = np.zeros_like(maps)
        move[(slice(None), *place)] = step
        up, down = (np.asarray(head(moved, training=False))[:, 0] for moved in (maps + move, maps - move))
        result[(slice(None), *place)] = (up - down) / (2 * step)
    return result


def test_only_an_avatar_that_is_there_is_explained(model: keras.Model, users: Users) -> None:
    before = model.get_weights()
    heats = explain(model, users)
    assert heats.shape == (4, 15, 15)
    assert (heats >= 0).all()
    assert heats.any(axis=(1, 2)).tolist() == [True, True, False, False]
    assert all(np.array_equal(left, right) for left, right in zip(before, model.get_weights(), strict=True))


def test_male_is_explained_as_female_is(model: keras.Model, users: Users) -> None:
    heats, logits = explain(model, users), predict_logits(model, users)
    last = model.get_layer(GENDER)
    weights = last.get_weights()
    last.set_weights([-weight for weight in weights])
    try:
        assert predict_logits(model, users) == pytest.approx(-logits)
        assert explain(model, users) == pytest.approx(heats)
    finally:
        last.set_weights(weights)


def test_overlay_colours_by_heat() -> None:
    image = np.full((8, 8, 3), (90, 100, 110), np.uint8)
    assert pixels(overlay(image, np.zeros((2, 2)))) == {(100, 100, 100)}
    # The brightest colour of the map "inferno" is 252, 255, 164.
    assert pixels(overlay(image, np.full((2, 2), 7.0), strength=1)) == {(252, 255, 164)}
    assert pixels(overlay(image, np.full((2, 2), 7.0), strength=0.5)) == {(176, 177, 132)}
    hot_corner = overlay(image, np.array([[1.0, 0.0], [0.0, 0.0]]))
    assert hot_corner[0, 0].tolist() != [100, 100, 100]
    assert hot_corner[-1, -1] == pytest.approx(100, abs=1)


def pixels(image: NDArray[Any]) -> set[tuple[int, ...]]:
    return {tuple(int(value) for value in pixel) for pixel in image.reshape(-1, 3)}
