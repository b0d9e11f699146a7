"""Augmentation changes what it should, by as much as it may."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from genderprep.tensors import IMAGE, IMAGE_SIZE, MAX_TOKENS, PRESENT, TOKENS
from tests.support.training.users import random_users
from training.data.augmentation import Augmentation, augment, augment_images, drop_tokens

PAD, UNK = 0, 1


def rng() -> np.random.Generator:
    return np.random.default_rng(2)


def augmented(images: NDArray[np.uint8], **values: Any) -> NDArray[np.uint8]:
    """Images with the named changes only."""
    off: dict[str, Any] = {"flip": 0, "shift_pixels": 0, "colour": 0}
    return augment_images(images, Augmentation(**off | values), rng())


def test_inputs_keep_shape_and_dtype() -> None:
    inputs = augment(random_users(8), (IMAGE, TOKENS, PRESENT), Augmentation(), rng())
    assert {name: (array.shape, array.dtype.name) for name, array in inputs.items()} == {
        IMAGE: ((8, IMAGE_SIZE, IMAGE_SIZE, 3), "uint8"),
        TOKENS: ((8, MAX_TOKENS), "int32"),
        PRESENT: ((8, 2), "bool"),
    }


def test_modalities_are_dropped_and_never_added() -> None:
    users = random_users(2000, size=1)
    present = augment(users, [PRESENT], Augmentation(), rng())[PRESENT]
    assert not (present & ~users.present).any()
    assert present.sum() / users.present.sum() == pytest.approx(0.85, abs=0.03)


def test_dropped_tokens_become_unknown_and_padding_stays() -> None:
    tokens = random_users(500, size=1).tokens
    np.testing.assert_array_equal(drop_tokens(tokens, 0.0, rng()), tokens)
    np.testing.assert_array_equal(drop_tokens(tokens, 1.0, rng()), np.where(tokens == PAD, PAD, UNK))
    dropped = drop_tokens(tokens, 0.3, rng())
    assert dropped.dtype == np.int32
    assert set(np.unique(dropped[dropped != tokens])) == {UNK}
    assert (dropped == UNK).sum() / (tokens != PAD).sum() == pytest.approx(0.3, abs=0.03)


def test_images_are_unchanged_mirrored_or_changed() -> None:
    images = random_users(4).images
    np.testing.assert_array_equal(augmented(images), images)
    np.testing.assert_array_equal(augmented(images, flip=1), images[:, :, ::-1])
    default = augment_images(images, Augmentation(), rng())
    assert (default.shape, default.dtype) == (images.shape, images.dtype)
    assert (default != images).mean() > 0.5


def test_shift_is_bounded() -> None:
    images = np.zeros((20, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    images[:, 64, 64] = 255
    _, rows, columns, _ = np.nonzero(augmented(images, shift_pixels=5))
    assert len(rows) == 20 * 3
    assert max(np.abs(rows - 64).max(), np.abs(columns - 64).max()) <= 5
    assert len(set(zip(rows, columns, strict=True))) > 5


def test_gain_is_bounded_and_clipped() -> None:
    images = np.full((50, IMAGE_SIZE, IMAGE_SIZE, 3), 100, np.uint8)
    result = augmented(images, colour=0.2)
    assert 79 <= result.min() < 85
    assert 115 < result.max() <= 120
    assert augmented(np.full_like(images, 255), colour=0.2).max() == 255


def test_zoom_enlarges() -> None:
    images = np.zeros((30, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    images[:, 44:84, 44:84] = 255
    growth = augmented(images, zoom=0.35).mean(axis=(1, 2, 3)) / images[0].mean()
    assert 0.99 < growth.min() < 1.3
    assert 1.8 < growth.max() < 1 / 0.65**2 + 0.01


def test_blur_affects_its_share_of_images() -> None:
    images = np.random.default_rng(1).integers(0, 256, (200, 32, 32, 3), np.uint8)
    spread = augmented(images, blur=0.3).std(axis=(1, 2, 3)) / images.std(axis=(1, 2, 3))
    assert (spread < 0.9).mean() == pytest.approx(0.3, abs=0.1)


def test_saturation_keeps_brightness() -> None:
    images = np.tile(np.array([120, 100, 80], np.uint8), (100, 8, 8, 1))
    result = augmented(images, saturation=1.0).astype(float)
    contrast = np.ptp(result, axis=-1)[:, 0, 0]
    assert contrast.min() < 4
    assert 72 < contrast.max() <= 80
    assert np.abs(result.mean(axis=-1) - 100).max() <= 1
