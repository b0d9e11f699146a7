"""Runs of the ablation: order, parallel processes, what is kept and what fails."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.training.stand_in import small_towers
from training.data.manifest import ManifestError, read_manifest, write_manifest
from training.gender import ablate, ablation_report, fasttext
from training.gender.ablate import Run, Study, runs_of, train_all
from training.gender.ablation_rows import (
    CLAIM_SEEDS,
    CLAIMS,
    DISTILLED,
    FASTTEXT,
    FULL,
    PAIRS,
    ROWS,
    TEXT,
    Row,
    with_dependencies,
)
from training.gender.config import Config, ConfigError
from training.synthetic.avatars import AvatarPool
from training.synthetic.nicknames import builtin_names
from training.synthetic.users import write_users

pytestmark = pytest.mark.usefixtures("eager")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_users(60, AvatarPool(), builtin_names(), tmp_path_factory.mktemp("users"), seed=2)


def stored(study: Study, row: str, seed: int) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(study.predictions(row, seed).read_text())
    return content


def test_rows_follow_their_dependencies_and_have_their_seeds() -> None:
    rows = {row.name: row for row in ROWS}
    names = list(rows)
    assert len(rows) == len(ROWS)
    for row in ROWS:
        for needed in row.dependencies:
            assert names.index(needed) < names.index(row.name)
            assert rows[needed].seeds >= row.seeds


def test_compared_rows_of_claims_have_three_seeds_and_the_same_text_pretraining() -> None:
    rows = {row.name: row for row in ROWS}
    for claim in CLAIMS:
        assert rows[claim.row].seeds == rows[claim.against].seeds == CLAIM_SEEDS
    fused = [row for row in ROWS if row.config.is_fused]
    assert all(row.text for row in fused)
    assert {row.text for row in fused if not row.config.mean_over_padding} == {TEXT}
    assert {name for pair in PAIRS for name in pair} <= rows.keys()


def test_with_dependencies_adds_text_tower_and_teacher() -> None:
    assert [row.name for row in with_dependencies([DISTILLED])] == [TEXT, FULL, DISTILLED]
    assert [row.name for row in with_dependencies([FASTTEXT])] == [FASTTEXT]
    assert with_dependencies([]) == []
    with pytest.raises(ConfigError, match=r"expected rows of the table \(FastText; .*\), got ResNet"):
        with_dependencies(["ResNet"])


def test_claims_and_what_others_need_are_trained_first() -> None:
    order = [str(run) for run in runs_of(with_dependencies([FASTTEXT, DISTILLED, "+ CBAM"]))]
    assert order[:2] == ["text tower alone, seed 1", "attention, ImageNet, seed 1"]
    assert order[-2:] == ["MobileNetV2, distilled, seed 3", "+ CBAM, seed 1"]


def test_runs_are_trained_once_in_processes_and_failures_do_not_stop_others(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = replace(fasttext.CONFIG, epochs=1)
    first, second = Row("first", quick, seeds=1), Row("second", quick, text="first", seeds=1)
    broken, after = Row("broken", quick, imagenet=True, seeds=1), Row("after", quick, text="broken", seeds=1)
    study = Study(manifest, tmp_path / "runs", imagenet={})
    failed = train_all(study, runs_of([first, second, broken, after]), jobs=2)
    assert sorted(failed) == ["after, seed 1", "broken, seed 1"]
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "finished" in line] == ["first, seed 1: finished", "second, seed 1: finished"]
    trained = stored(study, "second", 1)
    assert len(trained["p_female"]) == (read_manifest(manifest)["split"] == "test").sum()
    assert trained["date"] >= stored(study, "first", 1)["date"]
    assert train_all(study, runs_of([first, second]), jobs=1) == []
    assert stored(study, "second", 1) == trained


def test_run_killed_after_training_is_not_trained_again(manifest: Path, tmp_path: Path) -> None:
    run = Run(Row("text", Config(backbone="", epochs=1, batch=16)), 1)
    study = Study(manifest, tmp_path, imagenet={})
    with small_towers():
        study.train(run)
        model, predictions = study.folder("text", 1) / "model.keras", study.predictions("text", 1)
        trained, before = model.stat().st_mtime_ns, stored(study, "text", 1)["p_female"]
        predictions.unlink()
        study.train(run)
    assert model.stat().st_mtime_ns == trained
    assert stored(study, "text", 1)["p_female"] == pytest.approx(before, abs=1e-6)
    with pytest.raises(ConfigError, match="seed_1: a finished run has another config"):
        study.train(Run(Row("text", Config(backbone="", epochs=2)), 1))
    with pytest.raises(ConfigError, match=r"expected predictions of other\.csv, got those of manifest\.csv"):
        Study(Path("other.csv"), tmp_path, imagenet={}).finished(run.row)


def test_results_have_every_finished_row(manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = Row("text", Config(backbone="", epochs=1, batch=16), seeds=1)
    mobile = Row("mobile", Config(backbone="mobilenetv2", epochs=1, batch=8, image_size=32), text="text", seeds=1)
    student = replace(mobile, name="student", teacher="mobile")
    monkeypatch.setattr(ablate, "ROWS", (text, mobile, student))
    study = Study(manifest, tmp_path / "runs", imagenet={})
    with small_towers():
        for row in (text, mobile, student):
            study.train(Run(row, 1))
    assert ablate.ablate(study, [], tmp_path) == []
    written = json.loads((tmp_path / "ablation.json").read_text())
    assert list(written["rows"]) == ["text", "mobile", "student"]
    assert written["trained"]["machines"] == [written["machine"]]
    assert (tmp_path / "ablation.md").read_text() == ablation_report.markdown(written)
    assert (tmp_path / "ablation.png").read_bytes().startswith(b"\x89PNG")


def test_study_needs_posteriors(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"nickname": "a", "avatar": "", "gender": "male", "split": "test"}]
    study = Study(write_manifest(rows, tmp_path / "real.csv"), tmp_path, imagenet={})
    with pytest.raises(
        ManifestError, match=r"no column posterior, stratum, identity; use a manifest of training\.synt"
    ):
        study.users()
