"""The rows of the story, what they start from, and the document, on numbers that are known."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.training.stand_in import small_towers
from training.data.manifest import ManifestError, read_manifest, write_manifest
from training.evaluation.benchmark import GroundTruth, mcnemar
from training.gender import ablate, ablation_report
from training.gender.ablate import FULL, ROWS, TEXT, Row, Study, with_needs
from training.gender.config import Config, ConfigError
from training.synthetic.avatars import AvatarPool
from training.synthetic.nicknames import builtin_names
from training.synthetic.users import write_users

USERS = GroundTruth(
    female=np.array([True, False] * 50),
    posterior=np.array([0.9, 0.1] * 25 + [0.5] * 50),
    determinable=np.array([True] * 50 + [False] * 50),
)
KNOWING = np.array([0.9, 0.1] * 25 + [0.4] * 50)
GUESSING = np.full(100, 0.6)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_users(60, AvatarPool(), builtin_names(), tmp_path_factory.mktemp("users"), seed=2)


def test_a_row_comes_after_what_it_starts_from() -> None:
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names)
    assert all(names.index(needed) < names.index(row.name) for row in ROWS for needed in row.needs)


def test_rows_by_name_with_what_they_need() -> None:
    assert [row.name for row in with_needs(["MobileNetV2, distilled"])] == [TEXT, FULL, "MobileNetV2, distilled"]
    assert [row.name for row in with_needs(["FastText"])] == ["FastText"]
    with pytest.raises(ConfigError, match="no row 'ResNet'; there are: FastText; "):
        with_needs(["ResNet"])


def test_rows_are_trained_once_and_reported(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = (
        Row("FastText", None, article="74 %"),
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
    assert (tmp_path / "ablation.png").read_bytes().startswith(b"\x89PNG")


def test_a_row_that_was_killed_after_its_training_is_not_trained_again(manifest: Path, tmp_path: Path) -> None:
    row, study = Row("text", Config(backbone="", epochs=1, batch=16)), Study(manifest, tmp_path, imagenet={})
    with small_towers():
        study.run(row, 1)
        trained, (written,) = (study.folder("text", 1) / "model.keras").stat().st_mtime_ns, tmp_path.glob("*/*/*.npz")
        before = np.load(written)["female"]
        written.unlink()
        study.run(row, 1)
    assert (study.folder("text", 1) / "model.keras").stat().st_mtime_ns == trained
    assert np.load(written)["female"] == pytest.approx(before, abs=1e-6)


def test_a_manifest_of_real_users_has_no_ceiling(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"nickname": "a", "avatar": "", "gender": "male", "split": "test"}]
    study = Study(write_manifest(rows, tmp_path / "real.csv"), tmp_path, imagenet={})
    with pytest.raises(ManifestError, match=r"no column posterior, stratum; training\.data\.synthesize writes them"):
        study.users()


def test_the_document(tmp_path: Path) -> None:
    predictions = {"concat": {1: GUESSING}, "attention": {1: KNOWING, 2: KNOWING}, "oracle": {1: USERS.female * 1.0}}
    about = {"attention": {"article": "83 %", "epochs": 3}, "+ CBAM": {"article": "no gain", "epochs": 3}}
    found = ablation_report.write(USERS, predictions, about, Path("users.csv"), tmp_path)
    text = (tmp_path / "ablation.md").read_text()
    assert "the ceiling of the test split is 70.0%" in text
    assert "| attention | 83 % | 75.0% (65.7% to 82.5%) | 107.1% | 100.0% |" in text
    assert "| 3 | 1: 75.0%, 2: 75.0% |" in text
    assert "| concat |  | 50.0% (40.4% to 59.6%) | 71.4% | 50.0% |" in text
    assert "- attention against concat, seed 1: +25.0%, p = " in text
    assert "by more than chance, which would be a leak: oracle." in text
    assert "Not trained yet: + CBAM." in text
    # KNOWING errs on 25 users, GUESSING on 50, of whom both err on 0: all 75 differ.
    assert found["mcnemar"][0]["p"] == pytest.approx(mcnemar(np.arange(75) < 50, np.arange(75) >= 50))


def test_the_chart_shows_every_row_under_the_ceiling(tmp_path: Path) -> None:
    found = ablation_report.write(USERS, {"concat": {1: GUESSING}, "attention": {1: KNOWING}}, {}, Path("u"), tmp_path)
    (axes,) = ablation_report.chart(found).axes
    assert [text.get_text() for text in axes.texts] == ["50.0%", "75.0%"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["concat", "attention"]
    (ceiling,) = [line for line in axes.lines if line.get_label() == "ceiling 70.0%"]
    assert np.asarray(ceiling.get_xdata())[0] == 0.7
