"""A run trains every method, continues after an interruption, detects collapse and rejects unusable input."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from genderprep import prep_digest
from tests.support.pictures import encode
from tests.support.training.eager import eagerly
from tests.support.training.stand_in import build_small_encoder
from training.data.bad_rows import ManifestError
from training.engine.errors import ConfigError
from training.pretrain import methods
from training.pretrain.collapse import CollapseError, embed, spread
from training.pretrain.dual_encoder import picture_trunk
from training.pretrain.methods import METHODS, Config
from training.pretrain.pictures import block_means, cached_pictures, picture_pixels, read_pictures, title_tokens
from training.pretrain.run import run
from training.synthetic.cards import write_cards

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cards")
    manifest = write_cards(range(48), 1, folder)
    table = pd.read_csv(manifest, keep_default_na=False)
    table["split"] = ["train"] * 24 + ["validation"] * 24
    table.to_csv(manifest, index=False)
    return manifest


@pytest.fixture(autouse=True)
def small_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "build_encoder", build_small_encoder)


def small(method: str, **options: Any) -> Config:
    return Config(method, size=16, epochs=2, batch=8, **options)


@pytest.fixture(scope="module")
def trained(cards: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Train with a method, once; returns the encoder's file."""

    @cache
    def train(method: str) -> Path:
        return run(small(method), cards, tmp_path_factory.mktemp(method))

    return train


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains(method: str, trained: Callable[[str], Path]) -> None:
    file = trained(method)
    encoder = keras.saving.load_model(file, compile=False)
    report = json.loads((file.parent / "report.json").read_text())
    assert [set(epoch) for epoch in report["history"]] == [
        {"epoch", "loss", "cpu_seconds", "spread", "theme_consistency", "style_consistency"}
    ] * 2
    assert np.isfinite([epoch["loss"] for epoch in report["history"]]).all()
    assert report["prep_digest"] == prep_digest()
    embeddings = embed(encoder, RNG.integers(0, 255, (5, 16, 16, 3), np.uint8))
    assert embeddings.shape == (5, 32 if method == "dual_encoder" else 8)


def test_dual_encoder_with_two_views_trains(cards: Path, tmp_path: Path) -> None:
    with eagerly():
        run(small("dual_encoder", instance_weight=0.5), cards, tmp_path)
    report = json.loads((tmp_path / "report.json").read_text())
    assert np.isfinite([epoch["loss"] for epoch in report["history"]]).all()


def test_run_starts_from_weights_of_imagenet(cards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    def imagenet(weights: Path, size: int | None) -> keras.Model:
        started.append(build_small_encoder(1.0, size))
        return started[-1]

    monkeypatch.setattr(methods, "imagenet_encoder", imagenet)
    config = small("dual_encoder", width=1.0, dims=4, pretrained_lr_multiplier=0.0, weight_decay=0.0)
    with eagerly():
        file = run(config, cards, tmp_path, tmp_path / "mobilenet.npz")
    assert json.loads((tmp_path / "report.json").read_text())["weights"] == "mobilenet.npz"
    # The rate of its layers is 0, so they keep their weights, and the projection those of the principal components;
    # batch statistics still move.
    dual = keras.saving.load_model(file, compile=False)
    trained = dual.get_layer("picture_tower")
    features = embed(picture_trunk(dual), read_pictures(cards, 16).split("train").pixels)
    projected = trained.get_layer("unit_vector").get_layer("projection")(features)
    np.testing.assert_allclose(np.cov(projected, rowvar=False), np.eye(4), atol=0.25)
    kernel = next(layer for layer in trained.layers if isinstance(layer, keras.layers.Conv2D)).kernel
    keras.utils.set_random_seed(config.seed)
    first = next(layer for layer in build_small_encoder(1.0, 16).layers if isinstance(layer, keras.layers.Conv2D))
    np.testing.assert_array_equal(kernel, first.kernel)
    with pytest.raises(ConfigError, match=r"expected width 1, which ImageNet weights have, got 0\.5"):
        run(small("moco"), cards, tmp_path / "other", tmp_path / "mobilenet.npz")


def test_repeated_command_changes_nothing_and_another_config_is_rejected(
    trained: Callable[[str], Path], cards: Path
) -> None:
    file = trained("moco")
    first = file.stat().st_mtime_ns
    assert run(small("moco"), cards, file.parent).stat().st_mtime_ns == first
    with pytest.raises(ConfigError, match=r"config\.seed was 1, is now 2"):
        run(small("moco", seed=2), cards, file.parent)
    report = json.loads((file.parent / "report.json").read_text())
    (file.parent / "report.json").write_text(json.dumps(report | {"weights": "mobilenet.npz"}))
    with pytest.raises(ConfigError, match=r"weights was 'mobilenet\.npz', is now None"):
        run(small("moco"), cards, file.parent)
    (file.parent / "report.json").write_text(json.dumps(report))


def test_interrupted_run_continues_to_the_same_encoder(
    trained: Callable[[str], Path], cards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = keras.saving.load_model(trained("moco"), compile=False)

    def interrupt(encoder: keras.Model, pictures: Any) -> keras.callbacks.Callback:
        def stop(epoch: int, logs: Any) -> None:
            if epoch == 1:
                raise KeyboardInterrupt

        return keras.callbacks.LambdaCallback(on_epoch_begin=stop)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("training.pretrain.run.LabelWatch", interrupt)
        run(small("moco"), cards, tmp_path / "again")
    again = keras.saving.load_model(run(small("moco"), cards, tmp_path / "again"), compile=False)
    for left, right in zip(whole.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6)


def test_collapse_ends_the_run(cards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.pretrain.collapse._MIN_SPREAD", 10.0)
    with eagerly(), pytest.raises(CollapseError, match=r"collapsed after 3 epochs: loss .* lower the learning rate"):
        run(Config("swav", size=16, epochs=4, batch=8), cards, tmp_path)


def test_spread_tells_a_point_from_all_directions() -> None:
    assert spread(np.ones((100, 8)) + RNG.normal(0, 1e-3, (100, 8))) < 0.01
    assert spread(RNG.normal(size=(1000, 8))) == pytest.approx(1, abs=0.05)


def test_unknown_method_and_batch_are_rejected(cards: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a method of moco, swav, dual_encoder, got 'x'"):
        run(small("x"), cards, tmp_path)
    with pytest.raises(ConfigError, match="divisible by 2, got 7"):
        run(Config("moco", size=16, batch=7), cards, tmp_path)


def test_too_few_pictures_are_rejected(cards: Path, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="at least 128 train and 20 validation pictures, got 24 and 24"):
        run(Config("moco", size=16), cards, tmp_path)


def test_manifest_errors_name_the_column_or_row_but_no_value(tmp_path: Path) -> None:
    manifest = tmp_path / "cards.csv"
    manifest.write_text("image\nsecret.png\n")
    with pytest.raises(ManifestError, match="expected a column picture, got image"):
        read_pictures(manifest, 16)
    manifest.write_text("picture\nsecret.png\n")
    with pytest.raises(ManifestError, match="row 0: the picture cannot be read: FileNotFoundError") as error:
        read_pictures(manifest, 16)
    assert "secret" not in str(error.value)
    manifest.write_text("picture\n")
    with pytest.raises(ManifestError, match="expected pictures, got none"):
        read_pictures(manifest, 16)


def test_pictures_are_reduced_from_the_pixels_that_are_served() -> None:
    served = RNG.integers(0, 255, (128, 128, 3), np.uint8)
    encoded = encode(Image.fromarray(served), "PNG")
    np.testing.assert_array_equal(picture_pixels(encoded, 128), served)
    corner = served[:2, :2].reshape(4, 3).mean(axis=0)
    np.testing.assert_array_equal(picture_pixels(encoded, 64)[0, 0], np.rint(corner))
    assert picture_pixels(encoded, 64).dtype == np.uint8


def test_blocks_are_averaged() -> None:
    column = np.array([[0, 1], [3, 4]], np.uint8)
    pixels = np.stack([column] * 3, axis=-1)
    np.testing.assert_array_equal(block_means(pixels, 1), [[[2, 2, 2]]])
    np.testing.assert_array_equal(block_means(pixels, 2), pixels)
    with pytest.raises(ValueError, match="expected a size that divides 2, got 3"):
        block_means(pixels, 3)


def test_a_card_drawn_twice_is_in_one_split(tmp_path: Path) -> None:
    table = read_pictures(write_cards(range(30), 2, tmp_path), 16).table
    assert (table.groupby("card")["split"].nunique() == 1).all()
    assert table["split"].nunique() == 3


def test_prepared_pictures_are_kept_until_the_manifest_changes(
    cards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cached_pictures(cards, 16, tmp_path)
    monkeypatch.setattr("training.pretrain.pictures._pixels", None)
    again = cached_pictures(cards, 16, tmp_path)
    np.testing.assert_array_equal(again.pixels, first.pixels)
    np.testing.assert_array_equal(again.titles, first.titles)
    pd.testing.assert_frame_equal(again.table, first.table)
    assert set(again.split("train").table["split"]) == {"train"}


def test_titles_are_padded_and_cut() -> None:
    assert title_tokens("早安").astype(bool).sum() == 2
    assert title_tokens("早" * 100).astype(bool).all()
    assert title_tokens("").astype(bool).sum() == 1
