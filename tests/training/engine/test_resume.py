"""A run that was killed within an epoch ends with the same weights as one that was not."""

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
from training.engine.errors import ConfigError
from training.gender.config import Config
from training.gender.model import load_model
from training.gender.train import train

pytestmark = pytest.mark.usefixtures("eager")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 users in row groups of 8, one with a nickname over the limit."""
    genders = (["male"] * 4 + ["female"] * 4) * 6
    nicknames = [f"{'国强' if gender == 'male' else '婷婷'}{index}" for index, gender in enumerate(genders)]
    nicknames[5] = "a" * 5000
    splits = ["train", "train", "train", "validation"] * 12
    table = pd.DataFrame({"nickname": nicknames, "avatar": "", "gender": genders, "split": splits})
    file = tmp_path_factory.mktemp("users") / "users.parquet"
    table.to_parquet(file, row_group_size=8)
    return file


def run_until(step: str, manifest: Path, out: Path) -> None:
    """Train in a child process and kill it after `step`."""
    command = [sys.executable, "-m", "tests.support.training.killed_run", str(manifest), str(out)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert any(step in line for line in child.stdout)
        child.kill()
    assert child.returncode == -signal.SIGKILL


def test_killed_run_continues_to_the_same_result(manifest: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run_until("epoch 1 step 2", manifest, killed)
    assert len(pd.read_csv(killed / "history.csv")) == 1
    assert not (killed / "report.json").exists()
    for out in (whole, killed):
        run(manifest, out)
        assert not (out / "resume.npz").exists()
    assert (whole / "history.csv").read_text() == (killed / "history.csv").read_text()
    weights = [load_model(out / "model.keras").get_weights() for out in (whole, killed)]
    for left, right in zip(*weights, strict=True):
        np.testing.assert_array_equal(left, right)
    reports = [json.loads((out / "report.json").read_text()) for out in (whole, killed)]
    assert reports[0] | {"date": ""} == reports[1] | {"date": ""}
    assert reports[0]["bad_rows"]["rows"] == 1


def test_another_config_cannot_resume(manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("training.gender.train.calibrate", stop)
    with small_towers():
        with pytest.raises(KeyboardInterrupt):
            train(Config(backbone="", epochs=1, batch=8, max_bad_rows=0.1), manifest, tmp_path)
        with pytest.raises(ConfigError, match=r"resume\.npz: an interrupted run has another config"):
            train(Config(backbone="", epochs=2, batch=8, max_bad_rows=0.1), manifest, tmp_path)
