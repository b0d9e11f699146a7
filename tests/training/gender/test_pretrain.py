"""Image towers train on pictures of all kinds, teach each other, and end in time."""

import math
from io import BytesIO
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from genderprep.tensors import IMAGE
from training.data.bad_rows import ManifestError
from training.gender.average import average
from training.gender.config import ConfigError, import_config
from training.gender.evaluate_tower import evaluate_tower
from training.gender.model import AVATAR_ONLY, load_model
from training.gender.pictures import draw_batches, read_packed
from training.gender.pretrain import pretrain
from training.gender.pretraining import Pretraining
from training.report import read_run

pytestmark = pytest.mark.usefixtures("eager", "towers")

CONFIG = Pretraining(pictures=96, batch=16, image_size=32)
KINDS = ("photo", "photo", "cartoon", "neutral")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Bright women and dark men in photos and cartoons, and gray neutral pictures, in all splits."""
    rows = []
    for index in range(60):
        kind, gender = KINDS[index % 4], ("female", "male")[index // 4 % 2]
        color = {"female": 200, "male": 40}[gender] if kind != "neutral" else 120
        buffer = BytesIO()
        Image.new("RGB", (32, 32), (color, color, index)).save(buffer, "PNG")
        split = ("train", "train", "test")[index % 3]
        label = "" if kind == "neutral" else gender
        rows.append((buffer.getvalue(), label, f"source {kind}", kind, "", "20-29", split, f"person {index}"))
    columns = ["avatar", "gender", "source", "kind", "origin", "age", "split", "identity"]
    file = tmp_path / "pictures.parquet"
    pd.DataFrame(rows, columns=columns).to_parquet(file)
    return file


def test_batches_are_drawn_by_kind_and_gender(pictures: Path) -> None:
    train = read_packed(pictures, 32, "train")
    shares = {"photo": 0.5, "cartoon": 0.25, "neutral": 0.25}
    ((images, p_female),) = draw_batches(train, shares, 2000, 1, 3, None)
    blue = images[:, 0, 0, 2]
    kinds = np.array(KINDS)[blue % 4]
    assert {kind: round((kinds == kind).mean(), 1) for kind in shares} == {"photo": 0.5, "cartoon": 0.2, "neutral": 0.3}
    assert (p_female[kinds == "neutral"] == 0.5).all()
    assert p_female[kinds == "photo"].mean() == pytest.approx(0.5, abs=0.05)
    assert ((images[:, 0, 0, 0] > 160) == (p_female[:, 0] == 1)).all()


def test_unusable_files_of_pictures_are_refused(pictures: Path) -> None:
    with pytest.raises(ManifestError, match="expected pictures of the split validation, got none"):
        read_packed(pictures, 32, "validation")
    table = pd.read_parquet(pictures)
    table.at[0, "avatar"] = b"garbage"
    table.to_parquet(pictures)
    with pytest.raises(ManifestError, match=r"not an image.*; pack the pictures again"):
        read_packed(pictures, 32, "train")


def test_batches_without_neutral_pictures_are_augmented(pictures: Path) -> None:
    train = read_packed(pictures, 32, "train")
    photos = train.rows((train.table["kind"] == "photo").to_numpy())
    ((images, _),) = draw_batches(photos, {"photo": 1.0}, 16, 1, 3, CONFIG.augmentation)
    assert images.shape == (16, 32, 32, 3)


def test_augmented_batches_keep_pictures_with_their_targets(pictures: Path) -> None:
    train = read_packed(pictures, 32, "train")
    ((images, p_female),) = draw_batches(train, CONFIG.shares, 400, 1, 3, CONFIG.augmentation)
    means = np.asarray(images).mean(axis=(1, 2, 3))
    assert means[p_female[:, 0] == 1].mean() > 30 + means[p_female[:, 0] == 0].mean()


def test_tower_and_its_student_are_trained_and_evaluated(pictures: Path, tmp_path: Path) -> None:
    config = Pretraining(pictures=640, batch=32, image_size=32, learning_rate=0.01)
    for backbone, teacher in (("densenet121", None), ("mobilenetv2", tmp_path / "densenet121")):
        pretrain(config, pictures, backbone, tmp_path / backbone, teacher=teacher)
    report = read_run(tmp_path / "mobilenetv2")
    assert {name: report[name] for name in ("backbone", "teacher", "steps", "pictures")} == {
        "backbone": "mobilenetv2",
        "teacher": "densenet121",
        "steps": 20,
        "pictures": 640,
    }
    metrics = evaluate_tower(tmp_path / "mobilenetv2", pictures)
    assert {*metrics} == {"clean", "small", "blurred"}
    assert metrics["clean"]["kind photo"]["auc"] == 1
    assert set(metrics["clean"]["source source neutral, neutral"]) == {"users", "mean_p_female", "mean_confidence"}
    assert not any("neutral" in group for group in metrics["small"])


def test_training_ends_in_time_and_saves(pictures: Path, tmp_path: Path) -> None:
    model = load_model(pretrain(CONFIG, pictures, "mobilenetv2", tmp_path / "run", minutes=1e-9))
    assert read_run(tmp_path / "run")["steps"] == 0
    assert model.predict({IMAGE: np.zeros((2, 32, 32, 3), np.uint8)}, verbose=0)[AVATAR_ONLY].shape == (2, 1)


def test_training_goes_on_from_a_tower(pictures: Path, tmp_path: Path) -> None:
    first = pretrain(CONFIG, pictures, "mobilenetv2", tmp_path / "first")
    second = pretrain(CONFIG, pictures, "mobilenetv2", tmp_path / "second", weights=first, minutes=1e-9)
    images = np.random.default_rng(0).integers(0, 255, (4, 32, 32, 3)).astype(np.uint8)
    before, after = (load_model(each).predict({IMAGE: images}, verbose=0)[AVATAR_ONLY] for each in (first, second))
    np.testing.assert_allclose(before, after, atol=1e-4)
    assert read_run(tmp_path / "second")["weights"] == "model.keras"


def test_tower_of_another_backbone_is_refused(pictures: Path, tmp_path: Path) -> None:
    tower = pretrain(CONFIG, pictures, "mobilenetv2", tmp_path / "tower", minutes=1e-9)
    with pytest.raises(ConfigError, match=r"model\.keras is not a tower of this backbone and size"):
        pretrain(CONFIG, pictures, "densenet121", tmp_path / "out", weights=tower)


def test_towers_of_one_training_are_averaged(pictures: Path, tmp_path: Path) -> None:
    runs = [tmp_path / "first", tmp_path / "second"]
    first = pretrain(CONFIG, pictures, "mobilenetv2", runs[0])
    pretrain(CONFIG, pictures, "mobilenetv2", runs[1], weights=first)
    models = [load_model(file) for file in (first, runs[1] / "model.keras", average(runs, pictures, tmp_path / "out"))]
    before, after, averaged = (model.trainable_weights for model in models)
    for weights in zip(before, after, averaged, strict=True):
        np.testing.assert_allclose((weights[0] + weights[1]) / 2, weights[2], atol=1e-6)
    report = read_run(tmp_path / "out")
    assert (report["backbone"], [run["steps"] for run in report["averaged"]]) == ("mobilenetv2", [6, 6])


def test_towers_of_two_backbones_are_not_averaged(pictures: Path, tmp_path: Path) -> None:
    for backbone in ("mobilenetv2", "densenet121"):
        pretrain(CONFIG, pictures, backbone, tmp_path / backbone, minutes=1e-9)
    with pytest.raises(ConfigError, match="expected towers of one backbone, got densenet121, mobilenetv2"):
        average([tmp_path / "mobilenetv2", tmp_path / "densenet121"], pictures, tmp_path / "out")


def test_saved_tower_computes_in_float32(pictures: Path, tmp_path: Path) -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        file = pretrain(CONFIG, pictures, "mobilenetv2", tmp_path / "run")
    finally:
        keras.config.set_dtype_policy("float32")
    policies = {layer.dtype_policy.name for layer in load_model(file)._flatten_layers()}
    assert policies == {"float32"}


def test_schedule_rises_and_falls_to_zero() -> None:
    rates = [CONFIG.learning_rate_at(progress) / CONFIG.learning_rate for progress in (0, CONFIG.warmup, 0.54, 1)]
    assert rates == pytest.approx([0, 1, 0.5, 0], abs=0.02)


def test_shipped_configs_are_pretrainings() -> None:
    for name in ("avatars", "avatars_taught", "avatars_continued"):
        config = import_config(Path(f"training/gender/configs/{name}.py"), Pretraining)
        assert math.isclose(sum(config.shares.values()), 1)
    with pytest.raises(ConfigError, match=r"that returns a training\.gender\.pretraining\.Pretraining"):
        import_config(Path("training/gender/configs/nickname.py"), Pretraining)


def test_missing_pictures(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no pictures .*pack_pictures` writes them"):
        read_packed(tmp_path / "none.parquet", 32, "train")
