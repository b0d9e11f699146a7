"""Publishing: a checked version appears as a whole, or nothing does."""

import json
import shutil
import sys
from pathlib import Path

import onnx
import onnxruntime
import pytest

from conversion import publish as command
from conversion.export import read_metadata
from conversion.parity import NotEqual
from conversion.publish import publish
from genderprep import PrepMismatch, prep_digest
from genderprep.tensors import EMBEDDING, PROBABILITIES, WEIGHTS
from server.checksums import check_files
from tests.support.training.stand_in import small_towers
from tests.support.tritonserver import ROOT
from training.gender.config import Config
from training.gender.train import train
from training.synthetic.avatars import AvatarPool
from training.synthetic.nicknames import builtin_names
from training.synthetic.users import write_users


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
    """A finished run that may be changed."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository without versions; the gate of accuracy is open, since so few users prove nothing."""
    monkeypatch.setattr(command, "MAX_ACCURACY_LOSS", 1)
    monkeypatch.setattr(command, "MAX_FLIPS", 1)
    for model in ("preprocess", "mobilenet"):
        folder = tmp_path / "model_repository" / model
        folder.mkdir(parents=True)
        shutil.copy(ROOT / "model_repository" / model / "config.pbtxt", folder)
    return tmp_path / "model_repository"


def files(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


MANIFEST = "SHA256SUMS"
NOTHING = ["mobilenet/config.pbtxt", "preprocess/config.pbtxt"]


def change_report(run: Path, **changes: object) -> None:
    report = json.loads((run / "report.json").read_text())
    (run / "report.json").write_text(json.dumps(report | changes))


def test_versions_follow_one_another(run: Path, manifest: Path, repository: Path) -> None:
    first = publish(run, manifest, "mobilenet", repository)
    assert first == repository / "mobilenet" / "1"
    assert publish(run, manifest, "mobilenet", repository, version=7).name == "7"
    assert files(repository) == [MANIFEST, "mobilenet/1/model.onnx", "mobilenet/7/model.onnx", *NOTHING]
    metadata = read_metadata(first / "model.onnx")
    assert (metadata["prep_digest"], metadata["backbone"]) == (prep_digest(), "mobilenetv2")
    session = onnxruntime.InferenceSession(first / "model.onnx")
    assert {output.name for output in session.get_outputs()} == {PROBABILITIES, WEIGHTS, EMBEDDING}
    assert onnx.load(first / "model.onnx").ir_version <= 10
    report = json.loads((repository.parent / "results" / "publish_mobilenet.json").read_text())
    assert report["version"] == 7
    assert report["parity_max_difference"] <= 1e-4
    assert 0.5 <= report["int8_test"]["all"]["ceiling"] <= 1
    assert first.stat().st_mode & 0o777 == 0o755
    assert (repository / MANIFEST).read_text().count("mobilenet/") == 2
    check_files(repository)


def test_whoever_shows_something_is_decided_at_one_half(run: Path, manifest: Path, repository: Path) -> None:
    change_report(run, unknown_below=0.5)
    publish(run, manifest, "mobilenet", repository)
    report = json.loads((repository.parent / "results" / "publish_mobilenet.json").read_text())
    decided, tested = report["int8_test_decided"], report["int8_test"]
    shown = tested["all"]["users"] - tested.get("nothing", {"users": 0})["users"]
    assert decided["summary"]["users"] == shown
    assert decided["share"] == pytest.approx(shown / tested["all"]["users"], abs=1e-4)


def test_nobody_is_decided_by_who_is_never_sure(run: Path, manifest: Path, repository: Path) -> None:
    change_report(run, unknown_below=1.01)
    publish(run, manifest, "mobilenet", repository)
    report = json.loads((repository.parent / "results" / "publish_mobilenet.json").read_text())
    assert report["int8_test_decided"] == {"share": 0, "summary": None}


def test_an_existing_version_is_never_changed(run: Path, manifest: Path, repository: Path) -> None:
    there = repository / "mobilenet" / "3"
    there.mkdir()
    (there / "model.onnx").write_bytes(b"published")
    with pytest.raises(FileExistsError, match="a published version is never changed, give another --version"):
        publish(run, manifest, "mobilenet", repository, version=3)
    assert (there / "model.onnx").read_bytes() == b"published"


def test_weights_of_another_preprocessing_are_refused(run: Path, manifest: Path, repository: Path) -> None:
    change_report(run, prep_digest="0123456789abcdef")
    with pytest.raises(PrepMismatch, match=r"trained with preprocessing 0123456789ab, this code is \w{12}; train"):
        publish(run, manifest, "mobilenet", repository)
    assert files(repository) == NOTHING


def test_a_repository_of_another_preprocessing_is_refused(run: Path, manifest: Path, repository: Path) -> None:
    config = repository / "preprocess" / "config.pbtxt"
    config.write_text(config.read_text().replace(prep_digest(), "0" * 64))
    with pytest.raises(PrepMismatch, match=f'a prep_digest_<version> must be "{prep_digest()}"'):
        publish(run, manifest, "mobilenet", repository)
    assert files(repository) == NOTHING


def test_an_unknown_model_is_refused(run: Path, manifest: Path, repository: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"resnet is not a model of the repository: no config\.pbtxt"):
        publish(run, manifest, "resnet", repository)


@pytest.mark.parametrize("gate", ["MAX_FLIPS", "MAX_ACCURACY_LOSS"])
def test_int8_that_decides_otherwise_is_refused(
    gate: str, run: Path, manifest: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, gate, -1)
    with pytest.raises(NotEqual, match=r"int8 loses -?[\d.]+% accuracy and flips [\d.]+% of the decisions; at most"):
        publish(run, manifest, "mobilenet", repository)
    assert files(repository) == NOTHING


def test_a_failure_while_writing_leaves_nothing(
    run: Path, manifest: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_the_disk(model: onnx.ModelProto, file: Path) -> None:
        Path(file).write_bytes(b"half a mod")
        raise OSError("no space left on device")

    monkeypatch.setattr(onnx, "save", fill_the_disk)
    monkeypatch.setattr(command, "to_int8", lambda model, calibration: model)
    with pytest.raises(OSError, match="no space left"):
        publish(run, manifest, "mobilenet", repository)
    assert files(repository) == NOTHING
    assert [file.name for file in (repository / "mobilenet").iterdir()] == ["config.pbtxt"]


def test_only_the_size_that_is_served_is_published(run: Path, manifest: Path, repository: Path) -> None:
    config = json.loads((run / "report.json").read_text())["config"]
    change_report(run, config=config | {"image_size": 96})
    with pytest.raises(PrepMismatch, match="trained at 96 pixels, 128 are served"):
        publish(run, manifest, "mobilenet", repository)


def test_command_ends_with_one_line(
    run: Path, manifest: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_report(run, prep_digest="0123456789abcdef")
    arguments = ["--run", run, "--data", manifest, "--model", "mobilenet", "--repository", repository]
    monkeypatch.setattr(sys, "argv", ["publish", *map(str, arguments)])
    with pytest.raises(SystemExit, match="publish: the model was trained with preprocessing 0123456789ab"):
        command.main()
