"""Augmentation changes what it should, by as much as it may."""

from typing import Any

import numpy as np
import pytest
from keras import ops
from numpy.typing import NDArray

from genderprep.tensors import IMAGE, IMAGE_SIZE, MAX_TOKENS, PRESENT, TOKENS
from tests.support.training.users import random_users
from training.data.augmentation import STRONG, Augmentation, augment, augment_images, drop_tokens

PAD, UNK = 0, 1


def rng() -> np.random.Generator:
    return np.random.default_rng(2)


def augmented(images: NDArray[np.uint8], **values: Any) -> NDArray[np.uint8]:
    """Images with the named changes only."""
    off: dict[str, Any] = {"flip": 0, "shift": 0, "color": 0}
    changed: NDArray[np.uint8] = ops.convert_to_numpy(augment_images(images, Augmentation(**off | values), rng()))
    return changed


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


def dot(size: int = 32) -> NDArray[np.uint8]:
    """Black images with a white square of four pixels in the middle."""
    images = np.zeros((40, size, size, 3), np.uint8)
    images[:, size // 2 - 1 : size // 2 + 1, size // 2 - 1 : size // 2 + 1] = 255
    return images


def test_images_are_unchanged_or_mirrored() -> None:
    images = random_users(4, size=32).images
    np.testing.assert_array_equal(augmented(images), images)
    np.testing.assert_array_equal(augmented(images, flip=1), images[:, :, ::-1])


def test_batch_depends_on_the_rng_only() -> None:
    images = random_users(6, size=36).images
    first, second = (ops.convert_to_numpy(augment_images(images, STRONG, rng())) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (first.shape, first.dtype) == (images.shape, images.dtype)
    assert (first != images).mean() > 0.5


def test_shift_is_bounded() -> None:
    _, rows, columns, _ = np.nonzero(augmented(dot(), shift=0.125) > 127)
    # Four pixels of 32 in each direction, and the square itself.
    assert max(np.abs(rows - 15.5).max(), np.abs(columns - 15.5).max()) <= 5
    assert len(set(zip(rows, columns, strict=True))) > 9


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_scale_is_the_size_of_the_picture(scale: float) -> None:
    images = np.full((30, 32, 32, 3), 255, np.uint8)
    images[:, 8:24, 8:24] = 0
    share = (augmented(images, min_scale=scale, max_scale=scale) < 128).all(axis=-1).mean(axis=(1, 2))
    # Half of the small pictures lie on a random color, which may be dark. A crop leaves the center by at most 0.7.
    assert (share.min() == pytest.approx(0.0625, rel=0.15)) if scale < 1 else (0.4 < share.min() < 0.8)


def test_small_picture_lies_on_its_edges_a_color_or_a_scene() -> None:
    images = np.full((60, 16, 16, 3), 200, np.uint8)
    scenes = np.tile(np.arange(16, dtype=np.uint8)[:, None], (60, 16, 1, 3))
    changes = Augmentation(flip=0, shift=0, color=0, min_scale=0.5, max_scale=0.5, scene=1)
    corners = ops.convert_to_numpy(augment_images(images, changes, rng(), scenes))[:, 0, 0, 0]
    assert set(corners) == {0, 200}
    plain = augmented(images, min_scale=0.5, max_scale=0.5)[:, 0, 0]
    assert len({tuple(color) for color in plain}) > 20


def test_rotation_keeps_the_center() -> None:
    images = dot()
    turned = augmented(images, rotation=45)
    np.testing.assert_allclose(turned[:, 12:20, 12:20].sum(axis=(1, 2, 3)), images[0].sum(), rtol=0.12)
    assert (turned != images).any(axis=(1, 2, 3)).mean() > 0.9


def test_gain_is_bounded_and_clipped() -> None:
    images = np.full((50, 8, 8, 3), 100, np.uint8)
    result = augmented(images, color=0.2)
    assert 80 <= result.min() < 85
    assert 115 < result.max() <= 120
    assert augmented(np.full_like(images, 255), color=0.2).max() == 255


def test_saturation_and_hue_keep_brightness() -> None:
    images = np.tile(np.array([120, 100, 80], np.uint8), (100, 8, 8, 1))
    saturated, turned = augmented(images, saturation=1.0).astype(float), augmented(images, hue=180.0).astype(float)
    contrast = np.ptp(saturated, axis=-1)[:, 0, 0]
    assert contrast.min() < 4
    assert 72 < contrast.max() <= 80
    assert max(np.abs(result.mean(axis=-1) - 100).max() for result in (saturated, turned)) <= 1
    assert {int(pixel.argmax()) for pixel in turned[:, 0, 0]} == {0, 1, 2}


def test_blur_and_erasing_affect_their_share_of_images() -> None:
    images = np.random.default_rng(1).integers(0, 256, (200, 64, 64, 3), np.uint8)
    spread = augmented(images, blur=0.3).std(axis=(1, 2, 3)) / images.std(axis=(1, 2, 3))
    assert (spread < 0.9).mean() == pytest.approx(0.25, abs=0.1)
    erased = (augmented(images, erase=0.3) != images).mean(axis=(1, 2, 3))
    assert (erased > 0).mean() == pytest.approx(0.3, abs=0.1)
    assert erased.max() < 0.17
