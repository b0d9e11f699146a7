import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.markdown import cells
from tests.support.training.stand_in import small_towers
from training.data.manifest import ManifestError, read_manifest, write_manifest
from training.evaluation.benchmark import GroundTruth, mcnemar
from training.gender import ablate, ablation_report, fasttext
from training.gender.ablate import FULL, ROWS, TEXT, Row, Study, with_dependencies
from training.gender.config import Config, ConfigError
from training.synthetic.avatars import AvatarPool
from training.synthetic.nicknames import builtin_names
from training.synthetic.users import write_users

USERS = GroundTruth(
    female=np.array([True, False] * 50),
    posterior=np.array([0.9, 0.1] * 25 + [0.5] * 50),
    determinable=np.array([True] * 50 + [False] * 50),
    identities=np.arange(100),
)
POSTERIOR = np.array([0.9, 0.1] * 25 + [0.4] * 50)
CONSTANT = np.full(100, 0.6)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_users(60, AvatarPool(), builtin_names(), tmp_path_factory.mktemp("users"), seed=2)


def test_rows_follow_their_dependencies() -> None:
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names)
    assert all(names.index(needed) < names.index(row.name) for row in ROWS for needed in row.dependencies)


def test_with_dependencies_adds_text_tower_and_teacher() -> None:
    assert [row.name for row in with_dependencies(["MobileNetV2, distilled"])] == [TEXT, FULL, "MobileNetV2, distilled"]
    assert [row.name for row in with_dependencies(["FastText"])] == ["FastText"]
    with pytest.raises(ConfigError, match=r"expected rows of the table \(FastText; .*\), got ResNet"):
        with_dependencies(["ResNet"])


def test_rows_are_trained_once_and_reported(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = (
        Row("FastText", replace(fasttext.CONFIG, epochs=1), article="74 %"),
        Row("text", Config(backbone="", epochs=1, batch=16)),
        Row("MobileNetV2", Config(backbone="mobilenetv2", epochs=1, batch=8), text="text"),
        Row("student", Config(backbone="mobilenetv2", epochs=1, batch=8), text="text", teacher="MobileNetV2"),
    )
    monkeypatch.setattr(ablate, "ROWS", rows)
    study = Study(manifest, tmp_path / "runs", imagenet={})
    with small_towers():
        first = ablate.ablate(study, rows[:2], [1, 2], tmp_path)
        second = ablate.ablate(study, rows, [1], tmp_path)
    trained = [line for line in capsys.readouterr().out.splitlines() if ", seed " in line]
    assert trained == [
        *(f"{name}, seed {seed}" for seed in (1, 2) for name in ("FastText", "text")),
        "MobileNetV2, seed 1",
        "student, seed 1",
    ]
    assert list(first["rows"]) == ["FastText", "text"]
    assert list(second["rows"]) == [row.name for row in rows]
    table = read_manifest(manifest)
    assert second["rows"]["student"]["seeds"][1]["users"] == (table["split"] == "test").sum()
    stored = json.loads((tmp_path / "ablation.json").read_text())
    assert stored["ceiling"] == second["ceiling"]
    assert stored["rows"].keys() == second["rows"].keys()
    assert (tmp_path / "ablation.md").read_text() == ablation_report.markdown(stored)
    assert (tmp_path / "ablation.png").read_bytes().startswith(b"\x89PNG")


def test_row_killed_after_training_is_not_trained_again(manifest: Path, tmp_path: Path) -> None:
    row, study = Row("text", Config(backbone="", epochs=1, batch=16)), Study(manifest, tmp_path, imagenet={})
    with small_towers():
        study.run(row, 1)
        trained, (written,) = (study.folder("text", 1) / "model.keras").stat().st_mtime_ns, tmp_path.glob("*/*/*.npz")
        before = np.load(written)["female"]
        written.unlink()
        study.run(row, 1)
    assert (study.folder("text", 1) / "model.keras").stat().st_mtime_ns == trained
    assert np.load(written)["female"] == pytest.approx(before, abs=1e-6)


def test_study_needs_posteriors(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"nickname": "a", "avatar": "", "gender": "male", "split": "test"}]
    study = Study(write_manifest(rows, tmp_path / "real.csv"), tmp_path, imagenet={})
    with pytest.raises(ManifestError, match=r"no column posterior, stratum; use a manifest of training\.synthetic"):
        study.users()


def test_report_tables_rows_pairs_and_leaks(tmp_path: Path) -> None:
    predictions = {
        "concat": {1: CONSTANT},
        "attention": {1: POSTERIOR, 2: POSTERIOR},
        "oracle": {1: USERS.female * 1.0},
    }
    about = {"attention": {"article": "83 %", "epochs": 3}, "+ CBAM": {"article": "no gain", "epochs": 3}}
    report = ablation_report.write(USERS, predictions, about, Path("users.csv"), tmp_path)
    rows = {row[0]: row[1:] for row in cells(ablation_report.table(report))}
    assert rows["attention"][:4] == ["83 %", "70.0% (60.4% to 78.1%)", "100.0%", "90.0%"]
    assert rows["attention"][6:] == ["3", "1: 70.0%, 2: 70.0%"]
    assert rows["concat"][:4] == ["", "50.0% (40.4% to 59.6%)", "71.4%", "50.0%"]
    assert (report["ceiling"], report["not_trained"]) == (0.7, ["+ CBAM"])
    leaks = [name for name, row in report["rows"].items() if any(seed["leak"] for seed in row["seeds"].values())]
    assert leaks == ["oracle"]
    # POSTERIOR errs on 25 users, CONSTANT on 50; all 75 differ.
    (pair,) = report["mcnemar"]
    assert (pair["row"], pair["against"], pair["difference"]) == ("attention", "concat", 0.25)
    assert pair["p"] == pytest.approx(mcnemar(np.arange(75) < 50, np.arange(75) >= 50))


def test_chart_shows_every_row_and_ceiling(tmp_path: Path) -> None:
    predictions = {"concat": {1: CONSTANT}, "attention": {1: POSTERIOR}}
    report = ablation_report.write(USERS, predictions, {}, Path("users.csv"), tmp_path)
    (axes,) = ablation_report.chart(report).axes
    assert [text.get_text() for text in axes.texts] == ["50.0%", "70.0%"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["concat", "attention"]
    (ceiling,) = [line for line in axes.lines if line.get_label() == "ceiling 70.0%"]
    assert np.asarray(ceiling.get_xdata())[0] == 0.7
