"""Fusing two towers trains what is behind them and nothing else."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from genderprep import PrepMismatch
from tests.support.training.stand_in import small_towers
from training.data.manifest import Manifest
from training.evaluation.platt import PlattScaling
from training.gender import fuse as command
from training.gender.build import Pretrained
from training.gender.config import Config, ConfigError
from training.gender.features import Features, features_of
from training.gender.fuse import Evidence, fuse, targets
from training.gender.model import (
    AVATAR_ONLY,
    GENDER,
    NICKNAME_ONLY,
    build_avatar_model,
    build_fused_model,
    build_nickname_model,
    load_model,
)
from training.losses.distillation import GATE
from training.report import read_run
from training.synthetic.avatars import AvatarPool
from training.synthetic.nicknames import builtin_names
from training.synthetic.users import write_users

pytestmark = pytest.mark.usefixtures("eager")

CONFIG = Config(backbone="mobilenetv2", epochs=1)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_users(60, AvatarPool(), builtin_names(), tmp_path_factory.mktemp("users"), seed=1)


@pytest.fixture(scope="module")
def towers(tmp_path_factory: pytest.TempPathFactory) -> Pretrained:
    folder = tmp_path_factory.mktemp("towers")
    keras.utils.set_random_seed(3)
    with small_towers():
        build_avatar_model("mobilenetv2").save(folder / "avatar.keras")
        build_nickname_model().save(folder / "text.keras")
    return Pretrained(avatar=folder / "avatar.keras", text=folder / "text.keras")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "STEPS", 20)
    monkeypatch.setattr(command, "BATCH", 64)


def test_towers_and_their_heads_stay(manifest: Path, towers: Pretrained, tmp_path: Path) -> None:
    with small_towers():
        file = fuse(CONFIG, manifest, towers, tmp_path)
    fused = load_model(file)
    for source, names in ((towers.avatar, ("image_tower", AVATAR_ONLY)), (towers.text, ("text_tower", NICKNAME_ONLY))):
        assert source
        for name in names:
            expected = load_model(source).get_layer(name).get_weights()
            for actual, kept in zip(fused.get_layer(name).get_weights(), expected, strict=True):
                np.testing.assert_array_equal(actual, kept)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["pretrained"].keys() == {"avatar", "text"}
    assert report["validation"]["users"] == report["rows"]["validation"]
    assert len(PlattScaling(**report["scaling"]).lines) == 4


def test_repeated_command_keeps_the_features(manifest: Path, towers: Pretrained, tmp_path: Path) -> None:
    table = pd.read_csv(manifest, dtype=str, keep_default_na=False)
    table.loc[table.index[table["split"] == "train"][:2], "avatar"] = manifest.name
    damaged = manifest.with_name("damaged.csv")
    table.to_csv(damaged, index=False)
    config = replace(CONFIG, max_bad_rows=0.1)
    with small_towers():
        fuse(config, damaged, towers, tmp_path)
        kept = {file: file.stat().st_mtime_ns for file in tmp_path.glob("features_*.npz")}
        first = read_run(tmp_path)["bad_rows"]
        fuse(config, damaged, towers, tmp_path)
    assert read_run(tmp_path)["bad_rows"] == first
    assert first["rows"] == 2
    assert len(kept) == 3
    assert {file: file.stat().st_mtime_ns for file in kept} == kept


def test_features_of_another_tower_are_computed_again(manifest: Path, towers: Pretrained, tmp_path: Path) -> None:
    other = tmp_path / "other.keras"
    with small_towers():
        fuse(CONFIG, manifest, towers, tmp_path / "run")
        before = np.load(tmp_path / "run" / "features_train.npz")["nickname"]
        build_nickname_model().save(other)
        fuse(CONFIG, manifest, Pretrained(avatar=towers.avatar, text=other), tmp_path / "run")
    assert (np.load(tmp_path / "run" / "features_train.npz")["nickname"] != before).any()


def test_towers_of_another_preprocessing_are_refused(manifest: Path, towers: Pretrained, tmp_path: Path) -> None:
    assert towers.text
    text = Path(shutil.copy(towers.text, tmp_path / "model.keras"))
    (tmp_path / "report.json").write_text(json.dumps({"prep_digest": "0" * 64}))
    with pytest.raises(PrepMismatch, match="got 000000000000; retrain it"):
        fuse(CONFIG, manifest, Pretrained(avatar=towers.avatar, text=text), tmp_path / "run")


def test_features_are_those_of_the_towers(manifest: Path, towers: Pretrained) -> None:
    with small_towers():
        model = build_fused_model("mobilenetv2")
    features = features_of(model, Manifest(manifest), "validation")
    assert features.avatar.shape == features.nickname.shape
    augmented = features_of(model, Manifest(manifest), "validation", CONFIG.augmentation)
    np.testing.assert_array_equal(features.nickname, augmented.nickname)
    shown = features.present[:, 0]
    assert (features.avatar != augmented.avatar)[shown].any(axis=1).all()


def test_targets_add_the_evidence_and_share_the_weights() -> None:
    evidence = np.array([[3.0, 1.0], [3.0, -3.0], [2.9, 0.0], [2.0, 1.0], [2.0, 1.0]])
    present = np.array([[1, 1], [1, 1], [1, 1], [0, 1], [0, 0]], bool)
    actual = targets(evidence, present)
    np.testing.assert_allclose(actual[GENDER][:, 0], expit([4.0, 0.0, 2.9, 1.0, 0.0]), rtol=1e-6)
    np.testing.assert_allclose(actual[GATE][:, 0], [3.1 / 4.2, 0.5, 3.0 / 3.1, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(actual[GATE].sum(axis=1), [1, 1, 1, 1, 0], rtol=1e-6)


def test_evidence_is_the_calibrated_logit_of_each_tower() -> None:
    rng = np.random.default_rng(0)
    with small_towers():
        model = build_fused_model("mobilenetv2")
    size = model.get_layer(AVATAR_ONLY).kernel.shape[0]
    kernel = np.zeros((size, 1), np.float32)
    kernel[0] = 1
    for head in (AVATAR_ONLY, NICKNAME_ONLY):
        model.get_layer(head).set_weights([kernel, np.zeros(1, np.float32)])
    x, y = (np.zeros((20_000, size), np.float16) for _ in range(2))
    x[:, 0], y[:, 0] = rng.normal(0, 3, (2, 20_000))
    female = (rng.random(20_000) < expit(0.5 * x[:, 0].astype(float)))[:, None].astype(np.float32)
    evidence = Evidence(model, Features(x, y, np.ones((20_000, 2), np.bool_), female, female))
    probe = np.zeros((3, size), np.float16)
    probe[:, 0] = [2, -4, 60]
    np.testing.assert_allclose(evidence(probe, 0), [1, -2, float(logit(0.98))], atol=0.15)
    # These nicknames tell nothing about the label.
    np.testing.assert_allclose(evidence(probe, 1)[:2], 0, atol=0.5)


def test_command_fails_with_one_line(manifest: Path, towers: Pretrained, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="a backbone and text=True"):
        fuse(Config(backbone="", epochs=1), manifest, towers, manifest.parent / "run")
    files = ["--avatar", str(towers.avatar), "--text", str(manifest.parent / "none.keras"), "--data", str(manifest)]
    config = ["--config", "training/gender/configs/mobilenet.py", "--out", str(manifest.parent / "run")]
    monkeypatch.setattr(sys, "argv", ["fuse", *files, *config])
    with small_towers(), pytest.raises(SystemExit, match="fuse: no trained model"):
        command.main()
