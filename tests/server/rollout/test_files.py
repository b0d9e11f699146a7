"""The commands on files alone, without a server."""

import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from server.checksums import MANIFEST, check_files, record, record_all
from server.errors import ControlError, RolloutError
from server.launch.process import ROOT, free_ports
from server.rollout import apply
from server.rollout.files import FileChanges, write_changes
from server.rollout.repository import Repository, leading, versions_in
from server.triton_control import TritonControl
from tests.server.rollout.conftest import Rollout
from tests.support.server.gender_models import (
    UNKNOWN_DIGEST,
    edit,
    publish,
    served,
    tree,
    write_repository,
)

CANARY = ("canary", "mobilenet", "3")
# The command with a server that takes long to follow, and a second to follow its restored files.
SLOW_SERVER = """
import runpy, time
from server.rollout import apply

calls = []

def follow(*_):
    calls.append(1)
    if len(calls) == 1:
        print("following", flush=True)
        time.sleep(60)
    print("restoring", flush=True)
    time.sleep(1)

apply._follow, apply._check_controllable = follow, lambda _: None
runpy.run_module("server.rollout", run_name="__main__")
"""


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_repository(tmp_path_factory.mktemp("pristine") / "model_repository")


@pytest.fixture
def repository(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "model_repository"))


def config_text(repository: Path, model: str) -> str:
    return (repository / model / "config.pbtxt").read_text()


def with_version_3(text: str) -> str:
    return text.replace("versions: [ 2 ]", "versions: [ 3 ]").replace("model_version: 2", "model_version: 3")


def test_list(rollout: Rollout) -> None:
    assert rollout("list") == "gender_mobilenet: preprocess 1, mobilenet 2\n  on disk: mobilenet 2, 3, 4\n"


def test_canary_copies_the_ensemble_with_another_name_and_version(rollout: Rollout, repository: Path) -> None:
    assert "gender_mobilenet_canary: preprocess 1, mobilenet 3\n" in rollout(*CANARY)
    stable = config_text(repository, "gender_mobilenet")
    expected = with_version_3(stable.replace('name: "gender_mobilenet"', 'name: "gender_mobilenet_canary"'))
    assert config_text(repository, "gender_mobilenet_canary") == expected
    assert (served(repository, "mobilenet"), served(repository, "preprocess")) == ([2, 3], [1])
    assert {path for path in tree(repository) if "canary" in path} == {
        f"gender_mobilenet_canary/{name}" for name in ("config.pbtxt", "labels.txt", "3/.gitkeep")
    }


def test_promote_keeps_the_canary(rollout: Rollout, repository: Path) -> None:
    before = config_text(repository, "gender_mobilenet")
    rollout(*CANARY)
    assert rollout("promote", "mobilenet").splitlines() == [
        "gender_mobilenet: preprocess 1, mobilenet 3",
        "gender_mobilenet_canary: preprocess 1, mobilenet 3",
        "  rollback: preprocess 1, mobilenet 2",
        "  on disk: mobilenet 2, 3, 4",
    ]
    assert config_text(repository, "gender_mobilenet") == with_version_3(before)
    assert served(repository, "mobilenet") == [2, 3]


def test_end_keeps_the_version_that_a_rollback_needs(rollout: Rollout, repository: Path) -> None:
    rollout(*CANARY)
    rollout("promote", "mobilenet")
    rollout("end", "mobilenet")
    assert served(repository, "mobilenet") == [2, 3]
    rollout("canary", "mobilenet", "4")
    assert served(repository, "mobilenet") == [2, 3, 4]
    rollout("promote", "mobilenet")
    rollout("end", "mobilenet")
    assert served(repository, "mobilenet") == [3, 4]
    assert "gender_mobilenet: preprocess 1, mobilenet 3\n" in rollout("rollback", "mobilenet")


def test_rollback_and_end_restore_every_file(rollout: Rollout, repository: Path) -> None:
    before = tree(repository)
    rollout(*CANARY)
    rollout("promote", "mobilenet")
    rollout("rollback", "mobilenet")
    for _ in range(2):
        rollout("end", "mobilenet")
        assert tree(repository) == before


def test_canary_moves_to_another_version(rollout: Rollout, repository: Path) -> None:
    rollout(*CANARY)
    assert "gender_mobilenet_canary: preprocess 1, mobilenet 4\n" in rollout("canary", "mobilenet", "4")
    assert not (repository / "gender_mobilenet_canary" / "3").exists()
    assert "gender_mobilenet_canary: preprocess 1, mobilenet 2\n" in rollout("canary", "mobilenet", "2")


def no_fault(_: Path) -> None:
    """The repository is valid."""


def unknown_preprocessing(repository: Path) -> None:
    publish(repository, 3, digest=UNKNOWN_DIGEST)


def undeclared_preprocessing(repository: Path) -> None:
    publish(repository, 3, digest="")
    file = repository / "mobilenet" / "3" / "model.onnx"
    file.write_bytes(file.read_bytes().replace(b"prep_digest", b"perp_digest"))


def truncated_model(repository: Path) -> None:
    file = repository / "mobilenet" / "3" / "model.onnx"
    file.write_bytes(file.read_bytes()[:100])


def file_instead_of_folder(repository: Path) -> None:
    (repository / "gender_mobilenet_canary").write_text("")


def edited(model: str, old: str, new: str) -> Callable[[Path], None]:
    """A fault in a model's config.pbtxt."""
    return lambda repository: edit(repository / model / "config.pbtxt", old, new)


NAME, VERSION = '      model_name: "mobilenet"\n', "      model_version: 2\n"
latest_version = edited("gender_mobilenet", VERSION, VERSION.replace("2", "-1"))
version_before_name = edited("gender_mobilenet", NAME + VERSION, VERSION + NAME)
no_version_policy = edited("mobilenet", "version_policy { specific { versions: [ 2 ] } }", "")
invalid_config = edited("gender_mobilenet", "name:", "nonsense:")


@pytest.mark.parametrize(
    ("fault", "arguments", "message"),
    [
        (no_fault, ("canary", "resnet", "3"), r"expected a backbone .* \(mobilenet\), got 'resnet'"),
        (no_fault, ("end", "resnet"), "got 'resnet'"),
        (no_fault, ("canary", "mobilenet", "9"), r"mobilenet/9/model\.onnx does not exist; versions on disk: 2, 3, 4"),
        (no_fault, ("promote", "mobilenet"), "no canary to promote; start one: canary mobilenet <version>"),
        (no_fault, ("rollback", "mobilenet"), "no previous version: it was not promoted since the last rollback"),
        (unknown_preprocessing, CANARY, r"preprocessing 0123456789ab, but \S+/preprocess has 1: \w{12}; train and"),
        (undeclared_preprocessing, CANARY, "does not name its preprocessing; publish the model again"),
        (truncated_model, CANARY, r"mobilenet/3/model\.onnx cannot be loaded: .*; publish the model again"),
        (latest_version, CANARY, r"uses the latest mobilenet; write the model_version that it should serve"),
        (version_before_name, CANARY, "cannot be edited as it is written; expected in every step model_name followed"),
        (no_version_policy, CANARY, r"expected version_policy { specific { versions: \[ … ] } } with the served"),
        (invalid_config, CANARY, r"gender_mobilenet/config\.pbtxt is not a model configuration: \d+:\d+"),
        (file_instead_of_folder, CANARY, "gender_mobilenet_canary.*; nothing is changed"),
    ],
)
def test_rejected_command_changes_nothing(
    rollout: Rollout, repository: Path, fault: Callable[[Path], None], arguments: tuple[str, ...], message: str
) -> None:
    fault(repository)
    before = tree(repository)
    with pytest.raises(SystemExit, match=f"^rollout: .*{message}"):
        rollout(*arguments)
    assert tree(repository) == before


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can grow beyond 100 bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_full_disk_changes_nothing(repository: Path) -> None:
    before = tree(repository)
    file = repository / "gender_mobilenet" / "config.pbtxt"
    changes: FileChanges = {repository / "new" / "short": "x", file: file.read_text() + "# longer"}
    with full_disk(), pytest.raises(RolloutError, match=r"too large.*; nothing is changed$"):
        write_changes(changes)
    assert tree(repository) == before


def test_file_that_cannot_be_replaced_restores_the_others(repository: Path) -> None:
    before = tree(repository)
    changes: FileChanges = {repository / "mobilenet" / "config.pbtxt": "x", repository / "gender_mobilenet": "x"}
    with pytest.raises(RolloutError, match=r"nothing is changed$"):
        write_changes(changes)
    assert tree(repository) == before


def test_change_that_cannot_be_undone_is_said(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = repository / "gender_mobilenet" / "config.pbtxt"
    with ExitStack() as disk:

        def fill_disk_and_fail(*_: object) -> None:
            disk.enter_context(full_disk())
            raise ControlError("no answer")

        monkeypatch.setattr(apply, "_check_controllable", lambda _: None)
        monkeypatch.setattr(apply, "_follow", fill_disk_and_fail)
        server = TritonControl("127.0.0.1:1")
        message = "^no answer; the files still hold the change, because undoing it failed: .*too large"
        with pytest.raises(RolloutError, match=message):
            apply.apply({file: file.read_text() + "# longer"}, repository, [server])
    assert file.read_text().endswith("# longer")


def test_promote_rejects_a_canary_that_does_not_fit_its_preprocessing(rollout: Rollout, repository: Path) -> None:
    rollout(*CANARY)
    publish(repository, 3, digest=UNKNOWN_DIGEST)
    before = tree(repository)
    message = r"mobilenet/3/model\.onnx was trained with preprocessing 0123456789ab, but \S+/preprocess has 1: "
    with pytest.raises(SystemExit, match=message):
        rollout("promote", "mobilenet")
    assert tree(repository) == before


def test_promote_needs_force_for_a_version_that_was_published_with_force(rollout: Rollout, repository: Path) -> None:
    publish(repository, 3, publish_gate="forced")
    rollout(*CANARY)
    before = tree(repository)
    message = r"rollout: mobilenet 3 was published with --force although .* see results/publish_mobilenet\.json"
    with pytest.raises(SystemExit, match=message):
        rollout("promote", "mobilenet")
    assert tree(repository) == before
    assert rollout("promote", "mobilenet", "--force").startswith("gender_mobilenet: preprocess 1, mobilenet 3\n")


def test_second_promotion_and_rollback_to_a_missing_version_are_rejected(rollout: Rollout, repository: Path) -> None:
    rollout(*CANARY)
    rollout("promote", "mobilenet")
    with pytest.raises(SystemExit, match="gender_mobilenet already serves its canary's version: mobilenet 3"):
        rollout("promote", "mobilenet")
    shutil.rmtree(repository / "mobilenet" / "2")
    with pytest.raises(SystemExit, match=r"mobilenet/2/model\.onnx does not exist; versions on disk: 3, 4"):
        rollout("rollback", "mobilenet")


def test_unreachable_server_is_reported_before_any_change(rollout: Rollout, repository: Path) -> None:
    before = tree(repository)
    (port,) = free_ports(1)
    with pytest.raises(SystemExit, match=f"rollout: 127.0.0.1:{port}: Triton does not answer"):
        rollout(*CANARY, "--url", f"grpc://127.0.0.1:{port}")
    assert tree(repository) == before


def test_interrupted_command_restores_files_and_servers(
    rollout: Rollout, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, followed = tree(repository), []

    def follow(_: object, changes: FileChanges) -> None:
        followed.append(changes)
        if len(followed) == 1:
            assert tree(repository) != before
            raise KeyboardInterrupt

    monkeypatch.setattr(apply, "_follow", follow)
    monkeypatch.setattr(apply, "_check_controllable", lambda _: None)
    with pytest.raises(SystemExit, match=r"^rollout: interrupted; everything is served as before$"):
        rollout(*CANARY, "--url", "127.0.0.1:1")
    assert tree(repository) == before
    assert len(followed) == 2


def test_failed_command_keeps_what_another_has_recorded_meanwhile(
    rollout: Rollout, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_all(repository)
    before, other = tree(repository), repository / "preprocess" / "1" / "other.py"

    def follow(*_: object) -> None:
        if not other.exists():
            other.write_text("published meanwhile")
            record(other, other, repository)
            raise ControlError("the server has ended")

    monkeypatch.setattr(apply, "_follow", follow)
    monkeypatch.setattr(apply, "_check_controllable", lambda _: None)
    with pytest.raises(SystemExit, match=r"^rollout: the server has ended; everything is served as before$"):
        rollout(*CANARY, "--url", "127.0.0.1:1")
    check_files(repository)
    other.unlink()
    record_all(repository)
    assert tree(repository) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_command_leaves_no_files_ahead_of_the_server(repository: Path, number: signal.Signals) -> None:
    record_all(repository)
    before = tree(repository)
    arguments = [*CANARY, "--url", "127.0.0.1:1", "--repository", str(repository)]
    command = subprocess.Popen(
        [sys.executable, "-c", SLOW_SERVER, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert command.stdout
    assert command.stderr
    with command:
        assert command.stdout.readline() == b"following\n"
        assert tree(repository) != before
        command.send_signal(number)
        assert command.stdout.readline() == b"restoring\n"
        command.send_signal(number)
        assert command.wait(30) == 1
        assert command.stderr.read() == b"rollout: interrupted; everything is served as before\n"
    assert tree(repository) == before


def test_command_records_what_it_changes(rollout: Rollout, repository: Path) -> None:
    record_all(repository)
    before = tree(repository)
    rollout(*CANARY)
    check_files(repository)
    assert "gender_mobilenet_canary/config.pbtxt" in (repository / MANIFEST).read_text()
    rollout("end", "mobilenet")
    assert tree(repository) == before


def test_changed_file_is_rejected_before_any_change(rollout: Rollout, repository: Path) -> None:
    record_all(repository)
    labels = repository / "mobilenet" / "labels.txt"
    labels.write_text("female\nmale\n")
    before = tree(repository)
    with pytest.raises(SystemExit, match=r"^rollout: .*labels\.txt has changed since it was recorded"):
        rollout(*CANARY)
    assert tree(repository) == before


def test_stray_folder_is_ignored(rollout: Rollout, repository: Path) -> None:
    (repository / "stray").mkdir()
    (repository / "stray" / "notes.txt").touch()
    assert rollout("list").startswith("gender_mobilenet: ")


def test_shipped_repository_is_consistent() -> None:
    repository = Repository(ROOT / "model_repository")
    for name in (each.name for each in repository.stable_ensembles()):
        ensemble = repository.stable(name)
        repository.check(ensemble.steps)
        assert ensemble.served == {ensemble.steps[leading(ensemble)]}
    wired = versions_in(repository.ensembles())
    assert {model: repository.model(model).served for model in wired} == wired
