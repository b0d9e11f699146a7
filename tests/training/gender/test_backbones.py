from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from genderprep.tensors import IMAGE_SIZE
from tests.support.training.stand_in import small_towers
from training.arrays import Arrays, ImagesNSS3
from training.data.bad_rows import ManifestError
from training.engine.imagenet import load_imagenet
from training.gender.backbones import BACKBONES, build_trunk
from training.gender.config import ConfigError
from training.layers import CBAM

BLOCKS = BACKBONES["densenet121"].blocks


@pytest.fixture
def small_trunk() -> keras.Model:
    with small_towers():
        return build_trunk("mobilenetv2")


@pytest.fixture
def images() -> ImagesNSS3:
    return np.random.default_rng(0).integers(0, 256, (2, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)


def weights_of(trunk: keras.Model) -> Arrays:
    """Return the weights of a trunk by the names of an ImageNet weights file."""
    return {
        f"{layer.name}/{weight.name}": keras.ops.convert_to_numpy(weight)
        for layer in trunk.layers[-1].layers
        for weight in layer.weights
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mobilenetv2", np.array([127.5, 0, 255]) / 127.5 - 1),
        ("densenet121", (np.array([127.5, 0, 255]) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]),
    ],
)
def test_trunk_normalizes_pixels_for_its_weights(name: str, expected: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def mean_of_pixels(input_shape: tuple[int, ...], **_: Any) -> keras.Model:
        image = keras.Input(input_shape)
        return keras.Model(image, keras.layers.GlobalAveragePooling2D()(image))

    monkeypatch.setitem(BACKBONES, name, replace(BACKBONES[name], build=mean_of_pixels))
    image = np.full((1, IMAGE_SIZE, IMAGE_SIZE, 3), (127, 0, 255), np.uint8)
    image[:, : IMAGE_SIZE // 2, :, 0] = 128
    np.testing.assert_allclose(np.ravel(build_trunk(name)(image)), expected, atol=1e-3)


def test_mobilenet_trunk_returns_1280_finite_features(images: ImagesNSS3) -> None:
    features = build_trunk("mobilenetv2")(images)
    assert features.shape == (2, 1280)
    assert np.isfinite(features).all()


def test_load_imagenet_copies_weights(small_trunk: keras.Model, images: ImagesNSS3, tmp_path: Path) -> None:
    target = keras.models.clone_model(small_trunk)
    np.savez(tmp_path / "weights.npz", **weights_of(small_trunk))
    assert np.abs(target(images) - small_trunk(images)).max() > 1e-3
    load_imagenet(target, tmp_path / "weights.npz")
    np.testing.assert_array_equal(target(images), small_trunk(images))


def test_batch_norm_adapts_within_50_steps_after_load(
    small_trunk: keras.Model, images: ImagesNSS3, tmp_path: Path
) -> None:
    np.savez(tmp_path / "weights.npz", **weights_of(small_trunk))
    load_imagenet(small_trunk, tmp_path / "weights.npz")
    before = np.abs(small_trunk(images) - small_trunk(images, training=True)).max()
    for _ in range(50):
        small_trunk(images, training=True)
    assert np.abs(small_trunk(images) - small_trunk(images, training=True)).max() < 0.05 * before


def test_load_imagenet_names_missing_entry(small_trunk: keras.Model, tmp_path: Path) -> None:
    entries = weights_of(small_trunk)
    del entries["bn_Conv1/moving_mean"]
    np.savez(tmp_path / "weights.npz", **entries)
    with pytest.raises(ConfigError, match=r"weights\.npz: expected an entry 'bn_Conv1/moving_mean'"):
        load_imagenet(small_trunk, tmp_path / "weights.npz")


def test_load_imagenet_names_damaged_file_and_other_shape(small_trunk: keras.Model, tmp_path: Path) -> None:
    (tmp_path / "weights.npz").write_bytes(b"garbage")
    with pytest.raises(ManifestError, match=r"weights\.npz: expected an npz file"):
        load_imagenet(small_trunk, tmp_path / "weights.npz")
    np.savez(tmp_path / "weights.npz", **weights_of(small_trunk) | {"bn_Conv1/gamma": np.ones(3)})
    with pytest.raises(ConfigError, match=r"expected 'bn_Conv1/gamma' of shape \[8\], got \[3\]"):
        load_imagenet(small_trunk, tmp_path / "weights.npz")


def test_cbam_follows_blocks_and_starts_as_identity(images: ImagesNSS3, tmp_path: Path) -> None:
    plain, attentive = build_trunk("densenet121"), build_trunk("densenet121", cbam=True)
    np.savez(tmp_path / "weights.npz", **weights_of(plain))
    loaded = load_imagenet(attentive, tmp_path / "weights.npz")
    modules = [layer for layer in attentive.layers[-1].layers if isinstance(layer, CBAM)]
    assert [layer.name for layer in modules] == [f"{name}_cbam" for name in BLOCKS]
    assert [layer.input.shape[1:] for layer in modules] == [(32, 32, 256), (16, 16, 512), (8, 8, 1024), (4, 4, 1024)]
    assert {layer.name for layer in loaded} == {layer.name for layer in plain.layers[-1].layers if layer.weights}
    np.testing.assert_array_equal(attentive(images), plain(images))


def test_every_cbam_module_changes_features(images: ImagesNSS3) -> None:
    with small_towers():
        trunk = build_trunk("densenet121", cbam=True)
    for name in BLOCKS:
        before = keras.ops.convert_to_numpy(trunk(images))
        bias = trunk.layers[-1].get_layer(f"{name}_cbam").widen.bias
        bias.assign(keras.ops.ones_like(bias))
        assert np.abs(trunk(images) - before).max() > 1e-4


@pytest.mark.parametrize(
    ("name", "cbam", "message"),
    [
        ("unknown", False, f"expected a backbone of {', '.join(BACKBONES)}, got 'unknown'"),
        ("mobilenetv2", True, "mobilenetv2 has no blocks for cbam to follow"),
    ],
)
def test_invalid_trunk_is_rejected(name: str, cbam: bool, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_trunk(name, cbam=cbam)
