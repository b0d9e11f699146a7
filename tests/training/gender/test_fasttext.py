import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from training.gender import fasttext as command
from training.gender.evaluate import evaluate
from training.gender.train import train
from training.synthetic.nicknames import builtin_names
from training.synthetic.users import write_nicknames


def test_ngrams_generalize_to_new_nicknames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.gender.evaluate.draw", lambda *_: {})
    manifest = write_nicknames(3000, builtin_names(), tmp_path, seed=1)
    train(command.CONFIG, manifest, tmp_path / "run")
    assert evaluate(tmp_path / "run", manifest, "test")["all"]["accuracy"] > 0.7


def test_fasttext_command_writes_evaluated_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = write_nicknames(200, builtin_names(), tmp_path, seed=1)
    monkeypatch.setattr(command, "CONFIG", replace(command.CONFIG, epochs=1))
    arguments = ["--data", str(manifest), "--out", str(tmp_path / "run"), "--seed", "3"]
    monkeypatch.setattr(sys, "argv", ["fasttext", *arguments])
    command.main()
    config = json.loads((tmp_path / "run" / "report.json").read_text())["config"]
    assert (config["seed"], config["max_ngram"]) == (3, 3)
    evaluation = json.loads((tmp_path / "run" / "evaluation_test" / "evaluation.json").read_text())
    assert str(evaluation["slices"]["all"]["accuracy"]) in capsys.readouterr().out


def test_fasttext_command_fails_with_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["--data", str(tmp_path / "nothing.csv"), "--out", str(tmp_path / "run")]
    monkeypatch.setattr(sys, "argv", ["fasttext", *arguments])
    with pytest.raises(SystemExit, match=r"fasttext: .*nothing\.csv"):
        command.main()
