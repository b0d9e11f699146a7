import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from conversion.export import to_onnx
from conversion.parity import check_parity, run_onnx
from genderprep.tensors import EMBEDDING, EMBEDDING_SIZE, IMAGE, MAX_TOKENS, PROBABILITIES, TOKENS, WEIGHTS
from tests.support.training.eager import eagerly
from training.data.batches import Users, prepare_users
from training.data.manifest import read_manifest, write_manifest
from training.evaluation.platt import PlattScaling
from training.gender import model
from training.gender.backbones import BACKBONES
from training.gender.build import Pretrained
from training.gender.config import Config, ConfigError
from training.gender.model import AVATAR_ONLY, build_fused_model, image_size, load_model, predict_logits, serving_model
from training.gender.train import train
from training.losses.late_mask import LateMask
from training.optimizers.gc_adamw import GCAdamW

pytestmark = pytest.mark.usefixtures("towers")

CBAM: dict[str, Any] = {"backbone": "densenet121", "cbam": True}
CONCAT: dict[str, Any] = {"fusion": "concat"}
HAND: dict[str, Any] = {"hand_features": True}
# Switches that do not depend on each other share a run, because compiling a model takes longer than training it.
SWITCHES: dict[str, dict[str, Any]] = {
    "concat, hand, small": {**CONCAT, **HAND, "image_size": 64, "gradient_centralization": "update"},
    "mask, mean": {"mask_loss": LateMask(), "mean_over_padding": True, "gradient_centralization": "gradient"},
    "cbam": CBAM,
    "image alone": {"text": False},
    "n-grams": {"backbone": "", "max_ngram": 3},
}
CENTRALIZED = {
    name: values["gradient_centralization"] for name, values in SWITCHES.items() if "gradient_centralization" in values
}
LOAD = """
import pathlib, sys, training.gender.model as model
for file in sys.argv[1:]:
    print(model.load_model(pathlib.Path(file)).name)
"""


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """32 users, each with a nickname and an avatar of one color."""
    folder, rng = tmp_path_factory.mktemp("users"), np.random.default_rng(0)
    rows: list[dict[str, object]] = []
    for index in range(32):
        picture = folder / f"{index}.png"
        keras.utils.save_img(picture, np.tile(rng.integers(0, 256, 3), (64, 64, 1)), scale=False)
        gender, nickname = (("male", "国强7"), ("female", "婷婷🌹"))[index % 2]
        split = "validation" if index % 4 > 1 else "train"
        rows.append({"nickname": nickname, "avatar": str(picture), "gender": gender, "split": split})
    return write_manifest(rows, folder / "manifest.csv")


@pytest.fixture(scope="module")
def users(manifest: Path) -> Users:
    return prepare_users(read_manifest(manifest))


def config_with(values: dict[str, Any]) -> Config:
    return Config(**{"backbone": "mobilenetv2", "epochs": 1, "batch": 8, **values})


@pytest.fixture(scope="module")
def trained(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Train with a switch, once; returns the model's file."""

    @cache
    def run(name: str) -> Path:
        return train(config_with(SWITCHES[name]), manifest, tmp_path_factory.mktemp("run"))

    return run


@pytest.mark.parametrize("name", SWITCHES)
def test_run_with_switch_trains(name: str, trained: Callable[[str], Path], manifest: Path) -> None:
    file = trained(name)
    model = load_model(file)
    users = prepare_users(read_manifest(manifest), image_size(model))
    logits = predict_logits(model, users)
    assert logits.shape == (32, 1)
    assert np.isfinite(logits).all()
    report = json.loads((file.parent / "report.json").read_text())
    assert report["config"] == json.loads(json.dumps(asdict(config_with(SWITCHES[name]))))
    assert report["validation"]["users"] == 16


def test_models_with_switches_load_in_another_process(trained: Callable[[str], Path]) -> None:
    files = [str(trained(name)) for name in SWITCHES]
    loaded = subprocess.run([sys.executable, "-c", LOAD, *files], capture_output=True, text=True, check=False)
    assert loaded.returncode == 0, loaded.stderr
    assert len(loaded.stdout.splitlines()) == len(SWITCHES)


@pytest.mark.parametrize(
    "switches", [CONCAT, CBAM, HAND, {**HAND, **CONCAT}], ids=["concat", "cbam", "hand", "hand concat"]
)
def test_model_with_switch_exports_to_contract(switches: dict[str, Any], users: Users) -> None:
    values = {"backbone": "mobilenetv2"} | switches
    model = serving_model(
        build_fused_model(values.pop("backbone"), **values), PlattScaling((0.5, 0.2), (0.8, -0.1), (0.7, 0.1), 0.6)
    )
    rows = users.inputs(model.input)
    expected = model.predict(rows, verbose=0)
    outputs = run_onnx(to_onnx(model).SerializeToString(), rows)
    check_parity(expected, outputs, PROBABILITIES)
    assert outputs[EMBEDDING].shape == (32, EMBEDDING_SIZE)
    np.testing.assert_allclose(outputs[WEIGHTS].sum(axis=1), 1, atol=1e-6)


def test_mean_over_padding_changes_padded_rows_only() -> None:
    tower, over_all = (model.build_text_tower(mean_over_padding=padding) for padding in (False, True))
    over_all.set_weights(tower.get_weights())
    tokens = np.full((2, MAX_TOKENS), 7, np.int32)
    tokens[1, 3:] = 0
    plain, with_padding = (each.predict(tokens, verbose=0) for each in (tower, over_all))
    np.testing.assert_allclose(plain[0], with_padding[0], atol=1e-5)
    assert np.abs(plain[1] - with_padding[1]).max() > 1e-3


def test_padding_of_a_whole_batch_may_be_cut() -> None:
    tower = model.build_text_tower()
    ngrams = tower.get_layer("ngrams")
    ngrams.set_weights([np.random.default_rng(0).normal(size=ngrams.table.shape)])
    tokens = np.random.default_rng(1).integers(3, 99, (4, MAX_TOKENS), np.int32)
    tokens[:, 5:] = 0
    np.testing.assert_allclose(tower(tokens), tower(tokens[:, :5]), atol=1e-5)


@pytest.mark.parametrize(("ngrams", "multipliers"), [(True, {1.0, 20.0}), (False, {1.0})])
def test_ngrams_learn_faster(ngrams: bool, multipliers: set[float], manifest: Path, tmp_path: Path) -> None:
    with eagerly():
        file = train(config_with({"backbone": "", "ngrams": ngrams}), manifest, tmp_path)
    trained = keras.saving.load_model(file)
    assert set(trained.optimizer.lr_multipliers) == multipliers
    tower = trained.get_layer("text_tower")
    assert [layer.name for layer in tower.layers if layer.name == "ngrams"] == ["ngrams"] * ngrams
    assert not ngrams or np.abs(tower.get_layer("ngrams").table).max() > 0


def test_hand_features_reach_logit_but_not_embedding(users: Users) -> None:
    model = build_fused_model("mobilenetv2", hand_features=True)
    assert model.get_layer("head").input.shape == (None, EMBEDDING_SIZE + 4)
    assert model.get_layer("fusion").output[0].shape == (None, EMBEDDING_SIZE)


def test_image_tower_alone_has_no_nickname_input(trained: Callable[[str], Path]) -> None:
    model = load_model(trained("image alone"))
    assert set(model.input) == {IMAGE} and set(model.output) == {AVATAR_ONLY}
    assert TOKENS not in model.input


def test_mask_covers_last_epochs_and_reports_coverage(manifest: Path, tmp_path: Path) -> None:
    # The band covers every probability, so without the guard the masked epoch has no loss. Validation still has one.
    mask = LateMask(low=0.0, high=1.0, min_coverage=0.0, share=0.5)
    with eagerly():
        train(config_with({"mask_loss": mask, "epochs": 2, "auxiliary_loss": 0.0}), manifest, tmp_path)
    history = pd.read_csv(tmp_path / "history.csv")
    assert history["gender_loss"][0] > 0.1
    assert history["gender_loss"][1] == 0
    assert (history["val_gender_loss"] > 0.1).all()
    assert (history[["gender_coverage", "val_gender_coverage"]] == 0).all(axis=None)


@pytest.mark.parametrize(("name", "centralized"), list(CENTRALIZED.items()))
def test_gradient_centralization_reaches_saved_optimizer(
    name: str, centralized: str, trained: Callable[[str], Path]
) -> None:
    optimizer = keras.saving.load_model(trained(name)).optimizer
    assert isinstance(optimizer, GCAdamW)
    assert optimizer.centralized == centralized
    assert len(optimizer.axes) == len(optimizer.lr_multipliers)
    assert (0, 1, 2) in optimizer.axes


def test_new_modules_of_pretrained_trunk_keep_full_learning_rate(manifest: Path, tmp_path: Path) -> None:
    plain = build_fused_model("densenet121").get_layer("image_tower").get_layer("trunk")
    network = plain.layers[-1]
    np.savez(
        tmp_path / "weights.npz",
        **{f"{layer.name}/{w.name}": keras.ops.convert_to_numpy(w) for layer in network.layers for w in layer.weights},
    )
    config = config_with(
        {"backbone": "densenet121", "cbam": True, "learning_rate": 0.01, "pretrained_lr_multiplier": 0.0}
    )
    with eagerly():
        model = load_model(train(config, manifest, tmp_path, Pretrained(imagenet=tmp_path / "weights.npz")))
    trained = model.get_layer("image_tower").get_layer("trunk").layers[-1]
    before, after = (each.get_layer("conv1_conv").kernel for each in (network, trained))
    np.testing.assert_allclose(after, before, atol=1e-5)  # weight decay keeps its rate
    assert np.abs(trained.get_layer(f"{BACKBONES['densenet121'].blocks[0]}_cbam").widen.kernel).max() > 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fusion": "sum"}, "expected a fusion of attention, concat, got 'sum'"),
        ({"cbam": True}, "mobilenetv2 has no blocks for cbam"),
        ({"cbam": True, "text": False}, "mobilenetv2 has no blocks for cbam"),
    ],
)
def test_invalid_run_is_rejected(values: dict[str, Any], message: str, manifest: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        train(config_with(values), manifest, tmp_path)
