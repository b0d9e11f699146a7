import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pandas as pd
import pytest

from conversion import convert, gate, served
from conversion import publish as command
from conversion.errors import ConversionError
from conversion.export import read_metadata
from conversion.publish import publish
from genderprep import PrepMismatch, prep_digest
from genderprep.tensors import EMBEDDING, PROBABILITIES, WEIGHTS
from server.catalog import CatalogError
from server.checksums import check_files
from tests.support.training.stand_in import small_towers
from tests.support.tritonserver import ROOT
from training.data.manifest import ManifestError
from training.engine.errors import ConfigError
from training.evaluation.platt import PlattScaling
from training.gender.config import Config
from training.gender.train import train
from training.synthetic.avatars import AvatarPool
from training.synthetic.nicknames import builtin_names
from training.synthetic.users import write_users

CONFIGS = ["mobilenet/config.pbtxt", "preprocess/config.pbtxt"]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_users(60, AvatarPool(), builtin_names(), tmp_path_factory.mktemp("users"), seed=1)


@pytest.fixture(scope="module")
def trained(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = Config(backbone="mobilenetv2", epochs=1, batch=16)
    with small_towers():
        return train(config, manifest, tmp_path_factory.mktemp("run")).parent


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of a finished run, which a test may change."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository without versions. The accuracy gate is open because so few users prove nothing."""
    for limit in ("MAX_AUC_LOSS", "MAX_LOG_LOSS_GAIN", "MAX_FLIPS"):
        monkeypatch.setattr(gate, limit, 1)
    for model in ("preprocess", "mobilenet"):
        folder = tmp_path / "model_repository" / model
        folder.mkdir(parents=True)
        shutil.copy(ROOT / "model_repository" / model / "config.pbtxt", folder)
    return tmp_path / "model_repository"


@pytest.fixture
def served_repository(repository: Path) -> Path:
    """A repository whose ensemble serves the latest mobilenet."""
    config = (ROOT / "model_repository" / "gender_mobilenet" / "config.pbtxt").read_text()
    latest = re.sub(r'(model_name: "mobilenet"\s+model_version: )\d+', r"\g<1>-1", config)
    (repository / "gender_mobilenet").mkdir()
    (repository / "preprocess" / "1").symlink_to(ROOT / "model_repository" / "preprocess" / "1")
    (repository / "gender_mobilenet" / "config.pbtxt").write_text(latest)
    return repository


def files(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def change_report(run: Path, **changes: object) -> None:
    report = json.loads((run / "report.json").read_text())
    (run / "report.json").write_text(json.dumps(report | changes))


def change_config(run: Path, **changes: object) -> None:
    config = json.loads((run / "report.json").read_text())["config"]
    change_report(run, config=config | changes)


def published_report(repository: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((repository.parent / "results" / "publish_mobilenet.json").read_text())
    return report


def test_publish_adds_versions(run: Path, manifest: Path, repository: Path) -> None:
    first = publish(run, manifest, "mobilenet", repository)
    assert first == repository / "mobilenet" / "1"
    assert publish(run, manifest, "mobilenet", repository, version=7).name == "7"
    assert files(repository) == ["SHA256SUMS", "mobilenet/1/model.onnx", "mobilenet/7/model.onnx", *CONFIGS]
    metadata = read_metadata(first / "model.onnx")
    assert (metadata["prep_digest"], metadata["backbone"]) == (prep_digest(), "mobilenetv2")
    session = onnxruntime.InferenceSession(first / "model.onnx")
    assert {output.name for output in session.get_outputs()} == {PROBABILITIES, WEIGHTS, EMBEDDING}
    assert onnx.load(first / "model.onnx").ir_version <= 10
    report = published_report(repository)
    assert report["version"] == 7
    assert report["parity_max_difference"] <= 1e-4
    assert 0.5 <= report["int8_test"]["all"]["ceiling"] <= 1
    assert first.stat().st_mode & 0o777 == 0o755
    assert (repository / "SHA256SUMS").read_text().count("model.onnx") == 2
    check_files(repository)


def test_threshold_of_one_half_decides_every_user_with_a_modality(run: Path, manifest: Path, repository: Path) -> None:
    change_config(run, precision=0.0)
    publish(run, manifest, "mobilenet", repository)
    report = published_report(repository)
    decided, tested = report["int8_test_decided"], report["int8_test"]
    patterns = [name for name in ("both", "avatar only", "nickname only") if name in tested]
    shown = sum(tested[name]["users"] for name in patterns)
    assert decided["all"]["summary"]["users"] == shown
    assert decided["all"]["share"] == pytest.approx(shown / tested["all"]["users"], abs=1e-4)
    assert patterns
    assert all(decided[name]["share"] == 1 for name in patterns)


def test_threshold_above_one_decides_no_user(run: Path, manifest: Path, repository: Path) -> None:
    change_config(run, precision=1.01)
    publish(run, manifest, "mobilenet", repository)
    decided = published_report(repository)["int8_test_decided"]
    assert "all" in decided
    assert all(each == {"share": 0, "summary": None} for each in decided.values())


def test_existing_version_is_immutable(run: Path, manifest: Path, repository: Path) -> None:
    version = repository / "mobilenet" / "3"
    version.mkdir()
    (version / "model.onnx").write_bytes(b"published")
    with pytest.raises(FileExistsError, match="published versions are immutable; choose another --version"):
        publish(run, manifest, "mobilenet", repository, version=3)
    assert (version / "model.onnx").read_bytes() == b"published"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prep_digest": "0123456789abcdef"}, r"trained with preprocessing \w{12}, got 0123456789ab; retrain it"),
        ({"config": {"image_size": 96}}, "expected a model for .* pixels, got one trained at 96"),
    ],
)
def test_weights_of_another_preprocessing_are_rejected(
    change: dict[str, object], message: str, run: Path, manifest: Path, repository: Path
) -> None:
    change_report(run, **change)
    with pytest.raises(PrepMismatch, match=message):
        publish(run, manifest, "mobilenet", repository)
    assert files(repository) == CONFIGS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config": {"backbone": "", "epochs": 1}}, "expected a model of avatar and nickname, got one tower"),
        ({"scaling": None}, "expected a run of training.gender.train or fuse, got one of another command"),
    ],
)
def test_runs_of_other_commands_are_rejected(
    change: dict[str, Any], message: str, run: Path, manifest: Path, repository: Path
) -> None:
    report = json.loads((run / "report.json").read_text()) | change
    (run / "report.json").write_text(json.dumps({name: value for name, value in report.items() if value is not None}))
    with pytest.raises(ConfigError, match=message):
        publish(run, manifest, "mobilenet", repository)
    assert files(repository) == CONFIGS


def test_repository_of_another_preprocessing_is_rejected(run: Path, manifest: Path, repository: Path) -> None:
    config = repository / "preprocess" / "config.pbtxt"
    config.write_text(config.read_text().replace(prep_digest(), "0" * 64))
    with pytest.raises(PrepMismatch, match=f'set a prep_digest_<version> to "{prep_digest()}"'):
        publish(run, manifest, "mobilenet", repository)
    assert files(repository) == CONFIGS


def test_manifest_without_test_users_is_rejected(run: Path, manifest: Path, repository: Path) -> None:
    table = pd.read_csv(manifest, dtype=str, keep_default_na=False)
    table.loc[table["split"] == "test", "split"] = "train"
    table.to_csv(manifest.parent / "untested.csv", index=False)
    with pytest.raises(ManifestError, match="no rows in the split 'test'"):
        publish(run, manifest.parent / "untested.csv", "mobilenet", repository)
    assert files(repository) == CONFIGS


def test_unknown_model_is_rejected(run: Path, manifest: Path, repository: Path) -> None:
    with pytest.raises(CatalogError, match="expected one of mobilenet, preprocess, got 'resnet'"):
        publish(run, manifest, "resnet", repository)


@pytest.mark.parametrize("limit", ["MAX_AUC_LOSS", "MAX_LOG_LOSS_GAIN", "MAX_FLIPS"])
def test_gate_rejects_int8_that_deviates(
    limit: str, run: Path, manifest: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, limit, -1)
    with pytest.raises(
        ConversionError, match=r"expected int8 to lose .* decisions, got -?[\d.]+, -?[\d.]+ and [\d.]+%"
    ):
        publish(run, manifest, "mobilenet", repository)
    assert files(repository) == CONFIGS


def test_version_worse_than_the_served_one_is_rejected(
    run: Path, manifest: Path, served_repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(run, manifest, "mobilenet", served_repository)
    before = files(served_repository), published_report(served_repository)
    monkeypatch.setattr(convert, "fit_platt", lambda *_: PlattScaling((1.0, -50.0), (1.0, -50.0), (1.0, -50.0)))
    with pytest.raises(ConversionError, match=r"served version 1 on the same \d+ users, got .*recall_female 0\.000 ag"):
        publish(run, manifest, "mobilenet", served_repository)
    assert (files(served_repository), published_report(served_repository)) == before

    arguments = ["--run", run, "--data", manifest, "--model", "mobilenet", "--repository", served_repository, "--force"]
    monkeypatch.setattr(sys, "argv", ["publish", *map(str, arguments)])
    command.main()
    report = published_report(served_repository)
    assert (report["version"], report["gate"], report["comparison"]["version"]) == (2, "forced", 1)
    assert report["comparison"]["new"]["recall_female"] == 0
    assert any("recall_female" in fault for fault in report["comparison"]["regressions"])
    assert read_metadata(served_repository / "mobilenet" / "2" / "model.onnx")["publish_gate"] == "forced"


def test_first_version_of_an_added_backbone_is_published(run: Path, manifest: Path, served_repository: Path) -> None:
    """`conversion.configs --add` wires version 1 before there is one."""
    config = served_repository / "gender_mobilenet" / "config.pbtxt"
    config.write_text(config.read_text().replace("model_version: -1", "model_version: 1"))
    assert publish(run, manifest, "mobilenet", served_repository).name == "1"
    assert published_report(served_repository)["gate"] == "first version"


def test_release_that_is_no_repository_is_refused(
    run: Path, manifest: Path, served_repository: Path, tmp_path: Path
) -> None:
    with pytest.raises(CatalogError, match="mobilenet"):
        publish(run, manifest, "mobilenet", served_repository, release=tmp_path / "relase")


def test_version_as_good_as_the_served_one_passes(
    run: Path, manifest: Path, served_repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "MAX_LATENCY_RATIO", 100)
    publish(run, manifest, "mobilenet", served_repository)
    assert published_report(served_repository)["gate"] == "first version"
    folder = publish(run, manifest, "mobilenet", served_repository, force=True)
    comparison = published_report(served_repository)["comparison"]
    assert comparison["regressions"] == []
    assert comparison["served"]["accuracy"] == comparison["new"]["accuracy"]
    assert read_metadata(folder / "model.onnx")["publish_gate"] == "passed"


def test_failed_write_leaves_no_files(
    run: Path, manifest: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(model: onnx.ModelProto, file: Path) -> None:
        Path(file).write_bytes(b"half a mod")
        raise OSError("no space left on device")

    monkeypatch.setattr(onnx, "save", fail)
    monkeypatch.setattr(convert, "to_int8", lambda model, calibration: model)
    with pytest.raises(OSError, match="no space left"):
        publish(run, manifest, "mobilenet", repository)
    assert files(repository) == CONFIGS
    assert [file.name for file in (repository / "mobilenet").iterdir()] == ["config.pbtxt"]


def test_publish_command_fails_with_one_line(
    run: Path, manifest: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_report(run, prep_digest="0123456789abcdef")
    arguments = ["--run", run, "--data", manifest, "--model", "mobilenet", "--repository", repository]
    monkeypatch.setattr(sys, "argv", ["publish", *map(str, arguments)])
    with pytest.raises(SystemExit, match="publish: expected a model trained with preprocessing"):
        command.main()
