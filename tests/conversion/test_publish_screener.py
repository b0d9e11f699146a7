import json
import re
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from conversion import publish_screener as module
from conversion import screener_gate
from conversion.errors import ConversionError
from conversion.export import read_metadata
from conversion.publish_screener import publish_screener
from conversion.screener_limits import REFUSING
from conversion.screening import Screener
from genderprep import PrepMismatch, prep_digest
from server.checksums import check_files, record_all
from server.rollout.repository import Repository
from tests.support.server.picture_models import served_screener
from tests.support.tritonserver import ROOT
from training.curation.multitask import build_network
from training.curation.network import Trunk
from training.curation.pictures import read_labeled_pictures
from training.data.bad_rows import ManifestError
from training.synthetic.defects import ATTRIBUTES, compose
from training.synthetic.draw_defects import write_pictures


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pictures = [
        compose(seed, split, p_unsuitable=0.3) for split in ("train", "validation", "test") for seed in range(40)
    ]
    return write_pictures(pictures, tmp_path_factory.mktemp("defects"))


@pytest.fixture(scope="module")
def run(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained networks, whose heads are fitted to the pictures on which they are judged."""
    keras.utils.set_random_seed(1)
    folder = tmp_path_factory.mktemp("run")
    pictures = read_labeled_pictures(manifest)
    judged = pictures.rows((pictures.table["split"] != "train").to_numpy())
    for name, labels in (("first", judged.labels), ("second", judged.labels[:, -1:])):
        network = build_network(Trunk(width=8), labels.shape[1])
        features = keras.Model(network.input, network.get_layer("pooled").output).predict(judged.pixels, verbose=0)
        design = np.concatenate([features, np.ones((len(features), 1))], axis=1)
        weights = np.linalg.lstsq(design, np.where(labels == 1, 4.0, -4.0), rcond=1e-4)[0]
        network.get_layer("logits").set_weights([weights[:-1], weights[-1]])
        network.save(folder / f"{name}.keras")
    (folder / "report.json").write_text(json.dumps({"attributes": ATTRIBUTES, "date": "2026-11-26"}))
    return folder


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return new_repository(tmp_path, monkeypatch)


def new_repository(parent: Path, patch: pytest.MonkeyPatch) -> Path:
    """Write a repository that serves version 1 and has none; of 40 pictures, one is more than int8 may change."""
    for name in ("MAX_AUC_LOSS", "MAX_CHANGED"):
        patch.setattr(screener_gate, name, 0.2)
    folder = parent / "model_repository"
    for model in ("preprocess", "screener", "screen"):
        ignored = shutil.ignore_patterns("__pycache__", *(["[0-9]*"] if model == "screener" else []))
        shutil.copytree(ROOT / "model_repository" / model, folder / model, ignore=ignored)
    for model in ("screener", "screen"):
        config = folder / model / "config.pbtxt"
        served = rf'(versions: \[|"screener"\s+model_version:) {served_screener()}'
        config.write_text(re.sub(served, r"\1 1", config.read_text()))
    record_all(folder)
    return folder


@pytest.fixture(scope="module")
def published(run: Path, manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with version 1."""
    with pytest.MonkeyPatch.context() as patch:
        repository = new_repository(tmp_path_factory.mktemp("published"), patch)
        publish_screener(run, [manifest], repository, prevalence=0.2)
    return repository


def report_of(repository: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((repository.parent / "results" / "publish_screener.json").read_text())
    return report


def spoiled(run: Path, folder: Path) -> Path:
    """The run, whose first network says the contrary."""
    shutil.copytree(run, folder)
    network = keras.saving.load_model(folder / "first.keras", compile=False)
    head = network.get_layer("logits")
    head.set_weights([-each for each in head.get_weights()])
    network.save(folder / "first.keras")
    return folder


def test_published_version_has_verdict_limits_and_digest(manifest: Path, published: Path) -> None:
    file, report = published / "screener" / "1" / "model.onnx", report_of(published)
    metadata, screener = read_metadata(file), Screener(file)
    assert (metadata["prep_digest"], metadata["publish_gate"]) == (prep_digest(), "first version")
    assert (screener.attributes, screener.limits.first) == (list(ATTRIBUTES), report["limits"]["first"])
    assert set(report["limits"]["first"]) == {*REFUSING}
    assert report["found"]["unsuitable"]["positives"] > 0
    assert report["parity_max_difference"] < 1e-4
    test = read_labeled_pictures(manifest, 128).split("test")
    refused = sum(bool(each.reasons) for each in screener.screen(test.pixels))
    assert refused > sum(each["found"] for each in report["found"].values()) / 2 > 0
    (alone,) = report["by_manifest"].values()
    assert alone == {name: report[name] for name in alone}
    check_files(published)


def test_worse_version_is_rejected_unless_forced(
    run: Path, manifest: Path, published: Path, repository: Path, tmp_path: Path
) -> None:
    shutil.copytree(published / "screener", repository / "screener", dirs_exist_ok=True)
    worse = spoiled(run, tmp_path / "spoiled")
    with pytest.raises(
        ConversionError, match=r"no worse than the served version 1 .* auc of unsuitable 0\.\d+ against"
    ):
        publish_screener(worse, [manifest], repository, prevalence=0.2)
    assert not (repository / "screener" / "2").exists()
    publish_screener(worse, [manifest], repository, prevalence=0.2, force=True)
    assert Repository(repository).is_forced("screener", 2)
    assert report_of(repository)["gate"] == "forced"


def test_run_of_other_attributes_is_rejected(run: Path, manifest: Path, repository: Path, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(json.dumps({"attributes": ["blurred"], "date": ""}))
    with pytest.raises(ConversionError, match=r"expected networks for blurred, .*, got blurred$"):
        publish_screener(tmp_path, [manifest], repository)


def test_run_of_another_preprocessing_is_rejected(run: Path, manifest: Path, repository: Path, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(json.dumps({"attributes": ATTRIBUTES, "date": "", "prep_digest": "0" * 64}))
    with pytest.raises(PrepMismatch, match=r"trained with preprocessing \w{12}, got 000000000000; retrain it"):
        publish_screener(tmp_path, [manifest], repository)


def test_manifest_without_test_pictures_is_rejected(run: Path, manifest: Path, repository: Path) -> None:
    rows = manifest.read_text().splitlines()
    (manifest.parent / "train.csv").write_text("\n".join(row for row in rows if ",test," not in row))
    with pytest.raises(ManifestError, match="expected pictures of the split test, got none"):
        publish_screener(run, [manifest.parent / "train.csv"], repository)


@pytest.mark.parametrize("refusing", [["blurred"], ["unsuitable", "blured"]])
def test_wrong_attributes_to_refuse_are_named(refusing: list[str], run: Path, manifest: Path, repository: Path) -> None:
    with pytest.raises(ConversionError, match=r"expected unsuitable and others of blurred, .* to refuse a picture"):
        publish_screener(run, [manifest], repository, refusing=refusing)


def test_command_names_what_is_wrong(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [f"--run={tmp_path}", f"--data={tmp_path}/none.csv", f"--repository={repository}"]
    monkeypatch.setattr("sys.argv", ["publish_screener", *command])
    with pytest.raises(SystemExit, match=r"^publish_screener: no finished run in "):
        module.main()
