"""The commands on the files alone, no server running."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from server.rollout.repository import PREPROCESS, Repository, versions_of
from tests.server.rollout.conftest import Lifecycle
from tests.support.server.gender_models import add_preprocessing, publish, served, tree, write_repository
from tests.support.tritonserver import ROOT, free_ports

OTHER = "0123456789ab" + "0" * 52


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_repository(tmp_path_factory.mktemp("pristine") / "model_repository")


@pytest.fixture
def repository(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "model_repository"))


def text(repository: Path, model: str) -> str:
    return (repository / model / "config.pbtxt").read_text()


def test_the_command_as_typed(repository: Path) -> None:
    command = [sys.executable, "-m", "server.rollout", "canary", "mobilenet", "9", "--repository", str(repository)]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("lifecycle: there is no ")


def test_a_published_version_is_not_served(lifecycle: Lifecycle) -> None:
    assert lifecycle("list") == "gender_mobilenet: preprocess 1, mobilenet 2\n  on disk: mobilenet 2, 3, 4\n"


def test_a_canary_is_the_ensemble_but_for_name_and_versions(lifecycle: Lifecycle, repository: Path) -> None:
    assert "gender_mobilenet_canary: preprocess 1, mobilenet 3\n" in lifecycle("canary", "mobilenet", "3")
    expected = text(repository, "gender_mobilenet").replace(
        'name: "gender_mobilenet"', 'name: "gender_mobilenet_canary"'
    )
    expected = expected.replace("versions: [ 2 ]", "versions: [ 3 ]").replace("model_version: 2", "model_version: 3")
    assert text(repository, "gender_mobilenet_canary") == expected
    assert (served(repository, "mobilenet"), served(repository, "preprocess")) == ([2, 3], [1])
    assert {path for path in tree(repository) if "canary" in path} == {
        f"gender_mobilenet_canary/{name}" for name in ("config.pbtxt", "labels.txt", "3/.gitkeep")
    }


def test_promoted_is_what_the_canary_serves_and_it_stays(lifecycle: Lifecycle, repository: Path) -> None:
    before = text(repository, "gender_mobilenet")
    lifecycle("canary", "mobilenet", "3")
    assert lifecycle("promote", "mobilenet").splitlines() == [
        "gender_mobilenet: preprocess 1, mobilenet 3",
        "gender_mobilenet_canary: preprocess 1, mobilenet 3",
        "  rollback: preprocess 1, mobilenet 2",
        "  on disk: mobilenet 2, 3, 4",
    ]
    expected = before.replace("versions: [ 2 ]", "versions: [ 3 ]").replace("model_version: 2", "model_version: 3")
    assert text(repository, "gender_mobilenet") == expected
    assert served(repository, "mobilenet") == [2, 3]


def test_what_a_rollback_would_need_stays_loaded(lifecycle: Lifecycle, repository: Path) -> None:
    lifecycle("canary", "mobilenet", "3")
    lifecycle("promote", "mobilenet")
    lifecycle("end", "mobilenet")
    assert served(repository, "mobilenet") == [2, 3]
    lifecycle("canary", "mobilenet", "4")
    assert served(repository, "mobilenet") == [2, 3, 4]
    lifecycle("promote", "mobilenet")
    lifecycle("end", "mobilenet")
    assert served(repository, "mobilenet") == [3, 4]
    lifecycle("rollback", "mobilenet")
    assert "gender_mobilenet: preprocess 1, mobilenet 3\n" in lifecycle("list")


def test_after_rollback_and_end_all_is_as_before(lifecycle: Lifecycle, repository: Path) -> None:
    before = tree(repository)
    lifecycle("canary", "mobilenet", "3")
    lifecycle("promote", "mobilenet")
    lifecycle("rollback", "mobilenet")
    lifecycle("end", "mobilenet")
    assert tree(repository) == before
    lifecycle("end", "mobilenet")
    assert tree(repository) == before


def test_a_canary_moves_to_another_version_and_back(lifecycle: Lifecycle, repository: Path) -> None:
    lifecycle("canary", "mobilenet", "3")
    lifecycle("canary", "mobilenet", "4")
    assert "gender_mobilenet_canary: preprocess 1, mobilenet 4\n" in lifecycle("list")
    assert not (repository / "gender_mobilenet_canary" / "3").exists()
    assert "gender_mobilenet_canary: preprocess 1, mobilenet 2\n" in lifecycle("canary", "mobilenet", "2")


def test_a_version_is_wired_to_the_preprocessing_it_was_trained_with(lifecycle: Lifecycle, repository: Path) -> None:
    publish(repository, 5, digest=add_preprocessing(repository))
    assert "gender_mobilenet_canary: preprocess 2, mobilenet 5\n" in lifecycle("canary", "mobilenet", "5")
    assert served(repository, "preprocess") == [1, 2]
    lifecycle("promote", "mobilenet")
    assert "gender_mobilenet: preprocess 1, mobilenet 2\n" in lifecycle("rollback", "mobilenet")
    lifecycle("end", "mobilenet")
    assert served(repository, "preprocess") == [1]


def unedited(repository: Path) -> None:
    """All is as it should be."""


def of_another_preprocessing(repository: Path) -> None:
    publish(repository, 3, digest=OTHER)


def of_no_preprocessing(repository: Path) -> None:
    publish(repository, 3, digest="")
    file = repository / "mobilenet" / "3" / "model.onnx"
    file.write_bytes(file.read_bytes().replace(b"prep_digest", b"perp_digest"))


def cut_off(repository: Path) -> None:
    file = repository / "mobilenet" / "3" / "model.onnx"
    file.write_bytes(file.read_bytes()[:100])


def the_latest_wired(repository: Path) -> None:
    file = repository / "gender_mobilenet" / "config.pbtxt"
    file.write_text(file.read_text().replace("model_version: 2", "model_version: -1"))


def the_other_way_round(repository: Path) -> None:
    file = repository / "gender_mobilenet" / "config.pbtxt"
    lines = ('      model_name: "mobilenet"\n', "      model_version: 2\n")
    file.write_text(file.read_text().replace("".join(lines), "".join(reversed(lines))))


def without_policy(repository: Path) -> None:
    file = repository / "mobilenet" / "config.pbtxt"
    file.write_text(file.read_text().replace("version_policy { specific { versions: [ 2 ] } }", ""))


def no_configuration(repository: Path) -> None:
    (repository / "gender_mobilenet" / "config.pbtxt").write_text("name: nonsense {")


def in_the_way(repository: Path) -> None:
    (repository / "gender_mobilenet_canary").write_text("a file, where a folder has to be")


CANARY = ("canary", "mobilenet", "3")


@pytest.mark.parametrize(
    ("fault", "arguments", "message"),
    [
        (unedited, ("canary", "resnet", "3"), r"no ensemble gender_resnet in \S+; backbones there: mobilenet$"),
        (unedited, ("canary", "mobilenet", "9"), r"there is no \S+/mobilenet/9/model\.onnx; versions on disk: 2, 3, 4"),
        (unedited, ("promote", "mobilenet"), "no canary to promote; start one: canary mobilenet <version>"),
        (
            unedited,
            ("rollback", "mobilenet"),
            "nothing to go back to: no promotion since the last rollback; any version",
        ),
        (unedited, ("end", "resnet"), "no ensemble gender_resnet"),
        (
            of_another_preprocessing,
            CANARY,
            r"belongs to preprocessing 0123456789ab, \S+ has others \(1: \w{12}\); train",
        ),
        (of_no_preprocessing, CANARY, "does not say which preprocessing it belongs to; publish it again"),
        (cut_off, CANARY, r"mobilenet/3/model\.onnx cannot be loaded: .*; publish the model again"),
        (the_latest_wired, CANARY, r"wires the latest mobilenet; write the model_version that it is to serve"),
        (
            the_other_way_round,
            CANARY,
            "cannot be changed as it is written; expected in every step model_name and, after",
        ),
        (without_policy, CANARY, r"expected version_policy { specific { versions: \[ … ] } } with what is served"),
        (no_configuration, CANARY, r"gender_mobilenet/config\.pbtxt is no model configuration: 1:7"),
        (in_the_way, CANARY, "gender_mobilenet_canary.*; nothing is changed"),
    ],
)
def test_refused_with_nothing_changed(
    lifecycle: Lifecycle, repository: Path, fault: Callable[[Path], None], arguments: tuple[str, ...], message: str
) -> None:
    fault(repository)
    before = tree(repository)
    with pytest.raises(SystemExit, match=f"^lifecycle: .*{message}"):
        lifecycle(*arguments)
    assert tree(repository) == before


def test_what_was_changed_by_hand_is_not_promoted(lifecycle: Lifecycle, repository: Path) -> None:
    lifecycle("canary", "mobilenet", "3")
    publish(repository, 3, digest=OTHER)
    before = tree(repository)
    with pytest.raises(
        SystemExit, match=r"mobilenet/3/model\.onnx belongs to preprocessing 0123456789ab, preprocess 1"
    ):
        lifecycle("promote", "mobilenet")
    assert tree(repository) == before


def test_what_is_gone_is_not_rolled_back_to(lifecycle: Lifecycle, repository: Path) -> None:
    lifecycle("canary", "mobilenet", "3")
    lifecycle("promote", "mobilenet")
    with pytest.raises(SystemExit, match="gender_mobilenet serves what its canary does already: mobilenet 3"):
        lifecycle("promote", "mobilenet")
    shutil.rmtree(repository / "mobilenet" / "2")
    with pytest.raises(SystemExit, match=r"there is no \S+/mobilenet/2/model\.onnx; versions on disk: 3, 4"):
        lifecycle("rollback", "mobilenet")


def test_a_server_that_is_not_there_is_named_before_anything_is_changed(lifecycle: Lifecycle, repository: Path) -> None:
    before = tree(repository)
    (port,) = free_ports(1)
    with pytest.raises(SystemExit, match=f"lifecycle: 127.0.0.1:{port}: no tritonserver answers"):
        lifecycle(*CANARY, "--url", f"grpc://127.0.0.1:{port}")
    assert tree(repository) == before


def test_the_projects_own_repository_is_consistent() -> None:
    repository = Repository(ROOT / "model_repository")
    assert repository.backbones() == ["densenet", "mobilenet"]
    for backbone in repository.backbones():
        ensemble = repository.ensemble(backbone)
        repository.check(ensemble.wiring)
        assert ensemble.served == {ensemble.wiring[backbone]}
    loaded = {model: repository.model(model).served for model in (PREPROCESS, *repository.backbones())}
    assert loaded == versions_of(repository.ensembles())
