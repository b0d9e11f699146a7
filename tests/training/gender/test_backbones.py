"""Image trunks: their normalisation, and ImageNet weights from a file."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from genderprep.tensors import IMAGE_SIZE
from tests.support.training.stand_in import small_towers
from training.gender import backbones
from training.gender.backbones import DENSE_BLOCKS, build_trunk, load_imagenet
from training.gender.config import ConfigError
from training.layers import CBAM


@pytest.fixture
def small_trunk() -> keras.Model:
    with small_towers():
        return build_trunk("mobilenetv2")


def pixels(*colour: int) -> Any:
    return np.full((1, IMAGE_SIZE, IMAGE_SIZE, 3), colour, np.uint8)


def weights_of(trunk: keras.Model) -> dict[str, Any]:
    """Every weight of a trunk by the name under which a file of ImageNet weights has it."""
    return {
        f"{layer.name}/{weight.name}": keras.ops.convert_to_numpy(weight)
        for layer in trunk.layers[-1].layers
        for weight in layer.weights
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mobilenetv2", [np.array([127.5, 0, 255]) / 127.5 - 1]),
        ("densenet121", (np.array([127.5, 0, 255]) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]),
    ],
)
def test_pixels_are_normalised_as_the_weights_expect(name: str, expected: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def mean_of_pixels(input_shape: tuple[int, ...], **_: Any) -> keras.Model:
        image = keras.Input(input_shape)
        return keras.Model(image, keras.layers.GlobalAveragePooling2D()(image))

    monkeypatch.setitem(backbones._BUILDERS, name, mean_of_pixels)
    half = np.concatenate([pixels(127, 0, 255)[:, :64], pixels(128, 0, 255)[:, 64:]], axis=1)
    np.testing.assert_allclose(np.ravel(build_trunk(name)(half)), np.ravel(expected), atol=1e-3)


def test_features_of_mobilenet() -> None:
    features = build_trunk("mobilenetv2")(pixels(200, 10, 90))
    assert features.shape == (1, 1280)
    assert np.isfinite(features).all()


def test_unknown_backbone() -> None:
    with pytest.raises(ConfigError, match="backbone 'resnet50' is not one of densenet121, mobilenetv2"):
        build_trunk("resnet50")


def test_imagenet_weights_are_loaded(small_trunk: keras.Model, tmp_path: Path) -> None:
    source, target = small_trunk, keras.models.clone_model(small_trunk)
    np.savez(tmp_path / "weights.npz", **weights_of(source))
    image = np.random.default_rng(0).integers(0, 256, (2, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    assert np.abs(target(image) - source(image)).max() > 1e-3
    load_imagenet(target, tmp_path / "weights.npz")
    np.testing.assert_array_equal(target(image), source(image))


def test_statistics_follow_new_pictures_within_tens_of_steps(small_trunk: keras.Model, tmp_path: Path) -> None:
    np.savez(tmp_path / "weights.npz", **weights_of(small_trunk))
    load_imagenet(small_trunk, tmp_path / "weights.npz")
    image = np.random.default_rng(0).integers(0, 256, (2, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    before = np.abs(small_trunk(image) - small_trunk(image, training=True)).max()
    for _ in range(50):
        small_trunk(image, training=True)
    assert np.abs(small_trunk(image) - small_trunk(image, training=True)).max() < 0.05 * before


def test_a_missing_entry_is_named(small_trunk: keras.Model, tmp_path: Path) -> None:
    entries = weights_of(small_trunk)
    del entries["bn_Conv1/moving_mean"]
    np.savez(tmp_path / "weights.npz", **entries)
    with pytest.raises(ConfigError, match=r"weights\.npz: no entry 'bn_Conv1/moving_mean'; these are weights of anoth"):
        load_imagenet(small_trunk, tmp_path / "weights.npz")


def test_no_such_file(small_trunk: keras.Model, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_imagenet(small_trunk, tmp_path / "weights.npz")


def test_cbam_follows_the_dense_blocks_and_changes_nothing_at_first(tmp_path: Path) -> None:
    plain, attentive = build_trunk("densenet121"), build_trunk("densenet121", cbam=True)
    np.savez(tmp_path / "weights.npz", **weights_of(plain))
    filled = load_imagenet(attentive, tmp_path / "weights.npz")
    modules = [layer for layer in attentive.layers[-1].layers if isinstance(layer, CBAM)]
    assert [layer.name for layer in modules] == [f"{name}_cbam" for name in DENSE_BLOCKS]
    assert [layer.input.shape[1:] for layer in modules] == [(32, 32, 256), (16, 16, 512), (8, 8, 1024), (4, 4, 1024)]
    assert {layer.name for layer in filled} == {layer.name for layer in plain.layers[-1].layers if layer.weights}
    image = np.random.default_rng(0).integers(0, 256, (1, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    np.testing.assert_array_equal(attentive(image), plain(image))


def test_cbam_decides_what_comes_after_it() -> None:
    with small_towers():
        trunk = build_trunk("densenet121", cbam=True)
    image = np.random.default_rng(0).integers(0, 256, (2, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    for name in DENSE_BLOCKS:
        before = keras.ops.convert_to_numpy(trunk(image))
        bias = trunk.layers[-1].get_layer(f"{name}_cbam").widen.bias
        bias.assign(keras.ops.ones_like(bias))
        assert np.abs(trunk(image) - before).max() > 1e-4


def test_cbam_goes_with_densenet() -> None:
    with pytest.raises(ConfigError, match="cbam goes with densenet121, whose dense blocks it follows, not with 'mob"):
        build_trunk("mobilenetv2", cbam=True)
