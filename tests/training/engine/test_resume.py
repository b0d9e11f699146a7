"""A process that is killed in the middle of an epoch, and one that is not, end with the same weights."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.support.training.killed_run import run
from tests.support.training.stand_in import small_towers
from tests.support.tritonserver import ROOT
from training.data.manifest import write_manifest
from training.gender.config import Config, ConfigError
from training.gender.model import load_model
from training.gender.train import train


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 users in row groups of 8, one of them with a nickname over the limit."""
    genders = ["male", "female"] * 24
    table = pd.DataFrame(
        {
            "nickname": [f"{'国强' if gender == 'male' else '婷婷'}{index}" for index, gender in enumerate(genders)],
            "avatar": "",
            "gender": genders,
            "split": ["train", "train", "train", "validation"] * 12,
        }
    )
    table.loc[5, "nickname"] = "a" * 5000
    file = tmp_path_factory.mktemp("users") / "users.parquet"
    table.to_parquet(file, row_group_size=8)
    return file


def run_until(step: str, manifest: Path, out: Path) -> None:
    """Train in a child and kill it when it tells that it has done `step`."""
    command = [sys.executable, "-m", "tests.support.training.killed_run", str(manifest), str(out)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert any(step in line for line in child.stdout)
        child.kill()
    assert child.returncode == -signal.SIGKILL


def weights(file: Path) -> list[Any]:
    weights: list[Any] = load_model(file).get_weights()
    return weights


def test_a_killed_run_ends_as_one_that_was_not(manifest: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run_until("epoch 1 step 2", manifest, killed)
    assert len(pd.read_csv(killed / "history.csv")) == 1
    assert not (killed / "report.json").exists()
    for out in (whole, killed):
        run(manifest, out)
        assert not (out / "resume.npz").exists()
    assert (whole / "history.csv").read_text() == (killed / "history.csv").read_text()
    for left, right in zip(*(weights(out / "model.keras") for out in (whole, killed)), strict=True):
        np.testing.assert_array_equal(left, right)
    reports = [json.loads((out / "report.json").read_text()) for out in (whole, killed)]
    assert reports[0] | {"date": ""} == reports[1] | {"date": ""}
    assert reports[0]["bad_rows"]["rows"] == 1


def test_an_interrupted_run_of_another_config_is_not_gone_on_with(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    rows: list[dict[str, object]] = [
        {"nickname": name, "avatar": "", "gender": gender, "split": split}
        for name, gender in (("国强", "male"), ("婷婷", "female"))
        for split in ("train", "validation")
    ]
    users = write_manifest(rows, tmp_path / "users.csv")
    monkeypatch.setattr("training.gender.train.calibrate", stop)
    with small_towers():
        with pytest.raises(KeyboardInterrupt):
            train(Config(backbone="", epochs=1, batch=2), users, tmp_path)
        with pytest.raises(ConfigError, match=r"resume\.npz: an interrupted run has another config"):
            train(Config(backbone="", epochs=2, batch=2), users, tmp_path)
