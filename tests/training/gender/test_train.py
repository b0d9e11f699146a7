import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from genderprep import prep_digest
from tests.support.pictures import encode
from tests.support.training.stand_in import small_towers
from training.data.batches import prepare_users
from training.data.manifest import Manifest, ManifestError, read_manifest, write_manifest
from training.engine.batch_norm import SHORT_TRAINING_MOMENTUM
from training.engine.resume import Checkpoint
from training.gender import calibrate
from training.gender import train as command
from training.gender.build import Pretrained
from training.gender.config import Config, ConfigError
from training.gender.evaluate import evaluate
from training.gender.model import load_model, predict_logits
from training.gender.train import is_trained, train
from training.synthetic.avatars import AvatarPool
from training.synthetic.drawing import draw_portrait
from training.synthetic.nicknames import builtin_names
from training.synthetic.users import write_nicknames, write_users

pytestmark = pytest.mark.usefixtures("eager", "towers")

NICKNAME = Config(backbone="", epochs=1, batch=16)


class Interrupted(Exception):
    """Simulates a crash."""


@pytest.fixture(scope="module")
def nicknames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_nicknames(64, builtin_names(), tmp_path_factory.mktemp("nicknames"), seed=1)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_users(64, AvatarPool(), builtin_names(), tmp_path_factory.mktemp("users"), seed=1)


@pytest.fixture(scope="module")
def finished(nicknames: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on nicknames. Tests change copies of it."""
    folder = tmp_path_factory.mktemp("finished")
    with small_towers():
        train(NICKNAME, nicknames, folder)
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "run")


def epochs_of(run: Path) -> list[int]:
    return [int(epoch) for epoch in pd.read_csv(run / "history.csv")["epoch"]]


def interrupt_before_epoch(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(self: object, epoch: int, logs: Any = None) -> None:
        if epoch == number:
            raise Interrupted

    monkeypatch.setattr(Checkpoint, "on_epoch_begin", stop)


def restore_with_a_better_epoch(restore: Callable[..., None]) -> Callable[..., None]:
    def better(progress: Checkpoint, model: keras.Model) -> None:
        restore(progress, model)
        progress.history[0]["val_loss"] = 0.0

    return better


def test_run_is_written_and_evaluated(nicknames: Path, run: Path) -> None:
    assert (run / "model.keras").is_file()
    assert epochs_of(run) == [0]
    report = json.loads((run / "report.json").read_text())
    table = read_manifest(nicknames)
    assert report["config"]["batch"] == 16
    assert report["manifest"] == "nicknames.csv"
    assert report["prep_digest"] == prep_digest()
    assert 0.1 <= report["scaling"]["nickname_only"][0] <= 5
    assert report["scaling"]["prior_female"] == pytest.approx(
        (table[table["split"] == "train"]["gender"] == "female").mean(), abs=1e-3
    )
    assert report["validation"]["users"] == (table["split"] == "validation").sum()
    assert {"date", "machine", "versions"} <= report.keys()
    assert {log.parent.name for log in run.glob("tensorboard/*/events.*")} == {"train", "validation"}
    slices = evaluate(run, nicknames, "train")
    count = int((table["split"] == "train").sum())
    assert slices["all"]["users"] == slices["source nicknames"]["users"] == count
    assert "nickname only" in slices
    assert json.loads((run / "evaluation_train" / "evaluation.json").read_text())["slices"] == slices


def test_calibrate_command_changes_precision(nicknames: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["calibrate", "--run", str(run), "--data", str(nicknames), "--precision", ".1"])
    calibrate.main()
    report = json.loads((run / "report.json").read_text())
    assert report["config"]["precision"] == 0.1
    assert report["unknown_below"] == 0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prep_digest": "0" * 64}, "trained with preprocessing .*, got 000000000000"),
        ({"scaling": None}, "expected a run of training.gender.train or fuse"),
    ],
)
def test_calibrate_command_refuses_other_runs(
    changes: dict[str, Any], message: str, nicknames: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = json.loads((run / "report.json").read_text()) | changes
    kept = {name: value for name, value in report.items() if value is not None}
    (run / "report.json").write_text(json.dumps(kept))
    monkeypatch.setattr(sys, "argv", ["calibrate", "--run", str(run), "--data", str(nicknames)])
    with pytest.raises(SystemExit, match=f"calibrate: .*{message}"):
        calibrate.main()
    assert json.loads((run / "report.json").read_text()) == kept


def test_interrupted_run_resumes_after_last_complete_epoch(
    nicknames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(backbone="", epochs=4, batch=16)
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        interrupt_before_epoch(2, patch)
        train(config, nicknames, tmp_path)
    assert epochs_of(tmp_path) == [0, 1]
    assert not (tmp_path / "report.json").exists()
    train(config, nicknames, tmp_path)
    assert epochs_of(tmp_path) == [0, 1, 2, 3]
    assert (tmp_path / "report.json").exists()


def test_run_interrupted_in_first_epoch_restarts(
    nicknames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        interrupt_before_epoch(0, patch)
        train(NICKNAME, nicknames, tmp_path)
    train(NICKNAME, nicknames, tmp_path)
    assert epochs_of(tmp_path) == [0]


def test_resumed_run_keeps_better_earlier_epoch(
    nicknames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(backbone="", epochs=2, batch=16)
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        interrupt_before_epoch(1, patch)
        train(config, nicknames, tmp_path)
    before = (tmp_path / "model.keras").read_bytes()
    monkeypatch.setattr(Checkpoint, "restore", restore_with_a_better_epoch(Checkpoint.restore))
    train(config, nicknames, tmp_path)
    assert (tmp_path / "model.keras").read_bytes() == before


def test_finished_run_restarts(nicknames: Path, run: Path) -> None:
    before = (run / "model.keras").stat().st_mtime_ns
    assert train(NICKNAME, nicknames, run) == run / "model.keras"
    assert epochs_of(run) == [0]
    assert (run / "model.keras").stat().st_mtime_ns > before


def test_finished_run_that_is_trained_again_is_unfinished_until_the_end(nicknames: Path, tmp_path: Path) -> None:
    train(NICKNAME, nicknames, tmp_path)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Interrupted):
        interrupt_before_epoch(0, patch)
        train(NICKNAME, nicknames, tmp_path)
    assert not is_trained(NICKNAME, nicknames, tmp_path)


def test_finished_run_is_not_overwritten_by_another(nicknames: Path, run: Path, tmp_path: Path) -> None:
    before = (run / "model.keras").read_bytes()
    with pytest.raises(ConfigError, match=r"a finished run has another config: config\.batch was 16, is now 32; use"):
        train(replace(NICKNAME, batch=32), nicknames, run)
    other = tmp_path / "other.csv"
    other.write_bytes(nicknames.read_bytes())
    with pytest.raises(ConfigError, match=r"manifest was 'nicknames\.csv', is now 'other\.csv'"):
        train(NICKNAME, other, run)
    assert (run / "model.keras").read_bytes() == before


def test_fused_model_starts_from_pretrained_towers(manifest: Path, finished: Path, tmp_path: Path) -> None:
    text = finished / "model.keras"
    config = Config(backbone="mobilenetv2", epochs=1, batch=16, learning_rate=0.0)
    avatar = train(replace(config, text=False), manifest, tmp_path / "avatar")
    model = load_model(train(config, manifest, tmp_path / "fused", Pretrained(avatar=avatar, text=text)))
    for name, file in (("image_tower", avatar), ("text_tower", text)):
        towers = [trained.get_layer(name).trainable_variables for trained in (load_model(file), model)]
        assert all(np.array_equal(left, right) for left, right in zip(*towers, strict=True))
    network = model.get_layer("image_tower").get_layer("trunk").layers[-1]
    assert {layer.momentum for layer in network.layers if hasattr(layer, "momentum")} == {SHORT_TRAINING_MOMENTUM}
    users = prepare_users(read_manifest(manifest).head(5))
    assert predict_logits(model, users).shape == (5, 1)


def test_tower_of_another_kind_is_rejected(manifest: Path, finished: Path, tmp_path: Path) -> None:
    config = Config(backbone="mobilenetv2", epochs=1, batch=16)
    with pytest.raises(ConfigError, match=r"/model\.keras: expected a model whose image_tower matches this config"):
        train(config, manifest, tmp_path / "fused", Pretrained(avatar=finished / "model.keras"))


def test_model_can_overfit_two_users(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"nickname": nickname, "avatar": "", "gender": gender, "split": split}
        for nickname, gender in (("国强", "male"), ("婷婷", "female"))
        for split in ("train", "validation")
    ]
    manifest = write_manifest(rows, tmp_path / "two.csv")
    train(Config(backbone="", epochs=15, batch=2, learning_rate=0.01), manifest, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "report.json").read_text())["validation"]["accuracy"] == 1


def test_nan_loss_stops_run(nicknames: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="NaN or Inf loss encountered"):
        train(Config(backbone="", epochs=2, batch=16, learning_rate=float("inf")), nicknames, tmp_path)
    assert not (tmp_path / "model.keras").exists()


@pytest.mark.parametrize("split", ["train", "validation"])
def test_manifest_without_split_is_rejected(split: str, nicknames: Path, tmp_path: Path) -> None:
    table = read_manifest(nicknames)
    rows = table[table["split"] != split].to_dict("records")
    manifest = write_manifest([{str(key): value for key, value in row.items()} for row in rows], tmp_path / "some.csv")
    with pytest.raises(ManifestError, match=f"no rows in the split '{split}'"):
        train(NICKNAME, manifest, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize("label", ["male", "female"])
def test_manifest_of_one_label_is_rejected(label: str, split: str, tmp_path: Path) -> None:
    table = pd.DataFrame({"nickname": "国强", "avatar": "", "split": ["train", "validation", "test"] * 2})
    table["gender"] = ["male"] * 3 + ["female"] * 3
    table.loc[table["split"] == split, "gender"] = label
    table.to_csv(tmp_path / "users.csv", index=False)
    counts = "2 female, 0 male" if label == "female" else "0 female, 2 male"
    with pytest.raises(ManifestError, match=f"{split}: {counts}"):
        train(NICKNAME, tmp_path / "users.csv", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_calibration_on_one_label_is_rejected(nicknames: Path, tmp_path: Path) -> None:
    table = read_manifest(nicknames).assign(gender="female")
    table.to_csv(tmp_path / "women.csv", index=False)
    with pytest.raises(ManifestError, match="female, 0 male"):
        calibrate.calibrate(tmp_path, NICKNAME, Manifest(tmp_path / "women.csv"), {})


def users_with_bytes(folder: Path, broken: int) -> Path:
    """Write two shards of 200 users with avatars as bytes; the first `broken` ones of train are not images."""
    picture = encode(draw_portrait("female", 1), "JPEG")
    rows = {
        "nickname": ["国强", "婷婷"] * 200,
        "avatar": [b"broken"] * broken + [picture] * (400 - broken),
        "gender": ["male", "female"] * 200,
        "split": ["train"] * 360 + ["validation"] * 40,
    }
    for index, part in enumerate(np.array_split(np.arange(400), 2)):
        pd.DataFrame(rows).iloc[part].to_parquet(folder / f"part-{index}.parquet", row_group_size=50)
    return folder


def test_run_skips_few_bad_rows_of_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.gender.evaluate.draw", lambda *_: {})
    config = Config(backbone="mobilenetv2", epochs=1, batch=16, image_size=32, steps_per_epoch=23, validation_rows=20)
    shards, run = tmp_path / "shards", tmp_path / "run"
    shards.mkdir()
    train(config, users_with_bytes(shards, broken=2), run)
    report = json.loads((run / "report.json").read_text())
    assert report["rows"] == {"train": 360, "validation": 40, "test": 0}
    assert report["validation"]["users"] == 40
    assert report["bad_rows"]["reasons"]["broken avatar"]["rows"] == 2
    assert all(np.isfinite(weight).all() for weight in load_model(run / "model.keras").get_weights())
    assert evaluate(run, shards, "train")["all"]["users"] == 358
    assert (run / "evaluation_train" / "gradcam.png").is_file()


def test_too_many_bad_rows_stop_run(tmp_path: Path) -> None:
    config = Config(backbone="mobilenetv2", epochs=1, batch=16, image_size=32)
    with pytest.raises(ManifestError, match="more than 4 of 400 rows cannot be used: broken avatar") as error:
        train(config, users_with_bytes(tmp_path, broken=40), tmp_path / "run")
    assert error.value.__cause__ is None


@pytest.mark.parametrize(
    ("config", "data", "message"),
    [
        ("nothing.py", "nothing.csv", "train: no config .*nothing.py; the ready ones are in training/gender/configs"),
        ("nickname.py", "nothing.csv", "train: .*nothing.csv"),
        ("nickname.py", "notes.txt", "train: .*notes.txt: expected .csv"),
    ],
)
def test_train_command_fails_with_one_line(
    config: str, data: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = Path(command.__file__).with_name("configs")
    arguments = ["--config", str(configs / config), "--data", str(tmp_path / data), "--out", str(tmp_path / "run")]
    monkeypatch.setattr(sys, "argv", ["train", *arguments])
    with pytest.raises(SystemExit, match=message):
        command.main()
