"""The commands on running servers under load: no request fails, and each is answered by the right version."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from genderclient import Client, Unavailable
from server.checksums import record_all
from server.edge.admin_lock import KEY_VARIABLE
from server.launch.process import StartError
from server.rollout.files import write_changes
from server.rollout.operations import canary, promote
from server.rollout.repository import Repository
from server.triton_control import TritonControl
from tests.server.rollout.conftest import Rollout
from tests.support.scrape import total, total_once
from tests.support.server.background_requests import VersionAnswer, background_requests
from tests.support.server.gender_models import (
    NEW_SENTINEL,
    UNKNOWN_DIGEST,
    add_preprocessing,
    p_female,
    publish,
    served,
    tree,
    write_repository,
)
from tests.support.tritonserver import Server, running_triton
from tests.support.waiting import wait_until

EXPLICIT = ("--model-control-mode=explicit", "--load-model=*")
STABLE, CANARY = "gender_mobilenet", "gender_mobilenet_canary"
KEY = "open sesame"
CACHE = f"--cache-config=local,size={2**24}"
LOCKED = f"--grpc-restricted-protocol=model-repository:admin-key={KEY}"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_repository(tmp_path_factory.mktemp("live") / "model_repository")
    record_all(folder)
    return folder


@pytest.fixture(scope="module")
def server(repository: Path) -> Iterator[Server]:
    with running_triton(repository, *EXPLICIT, LOCKED, CACHE) as server:
        yield server


@pytest.fixture(autouse=True)
def admin_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)


def answers_of(*versions: int) -> set[VersionAnswer]:
    return {(str(version), p_female(version)) for version in versions}


def statistics(server: Server, model: str) -> dict[str, int]:
    """The answers of an ensemble so far by version, and those from the cache."""
    versions = [each for each in TritonControl(server.grpc_url).statistics() if each.name == model]
    hits = sum(each.inference_stats.cache_hit.count for each in versions)
    return {each.version: each.inference_stats.success.count for each in versions} | {"cached": hits}


def test_canary_promotion_and_rollback_under_load(rollout: Rollout, repository: Path, server: Server) -> None:
    url = server.grpc_url
    before = tree(repository)
    with background_requests([url, url, url], STABLE) as stable:
        rollout("canary", "mobilenet", "3", "--url", url)
        with background_requests([url, url], CANARY) as canaries:
            assert (stable.sample(), canaries.sample()) == (answers_of(2), answers_of(3))
            rollout("promote", "mobilenet", "--url", url)
            assert (stable.sample(), canaries.sample()) == (answers_of(3), answers_of(3))
            rollout("rollback", "mobilenet", "--url", url)
            assert (stable.sample(), canaries.sample()) == (answers_of(2), answers_of(3))
            rollout("canary", "mobilenet", "4", "--url", url)
            assert (stable.sample(), canaries.sample()) == (answers_of(2), answers_of(4))
        rollout("end", "mobilenet", "--url", url)
        assert stable.sample() == answers_of(2)
        assert (stable.answers(), canaries.answers()) == (answers_of(2, 3), answers_of(3, 4))
    assert tree(repository) == before


def test_metrics_of_the_backbone_name_the_version_that_answers(rollout: Rollout, server: Server) -> None:
    """Triton 2.51 counts every version of an ensemble as version 1 in its metrics, but not in its statistics."""
    metric = "nv_inference_request_success"
    rollout("canary", "mobilenet", "3", "--url", server.grpc_url)
    rollout("promote", "mobilenet", "--url", server.grpc_url)
    before = {version: total(server, metric, model="mobilenet", version=version) for version in ("2", "3")}
    ensemble = total(server, metric, model=STABLE, version="1")
    answered = statistics(server, STABLE)["3"]
    with Client(f"grpc://{server.grpc_url}", model=STABLE) as client:
        for number in range(5):
            assert client.predict(nickname=f"metrics {number}").version == "3"
    assert total_once(server, before["3"] + 5, metric, model="mobilenet", version="3") == before["3"] + 5
    assert total(server, metric, model="mobilenet", version="2") == before["2"]
    assert total_once(server, ensemble + 5, metric, model=STABLE, version="1") == ensemble + 5
    assert statistics(server, STABLE)["3"] == answered + 5
    rollout("rollback", "mobilenet", "--url", server.grpc_url)
    rollout("end", "mobilenet", "--url", server.grpc_url)


@pytest.fixture(scope="module")
def second_preprocessing(repository: Path) -> None:
    """Write preprocess 2, and version 5 of mobilenet for it."""
    publish(repository, 5, digest=add_preprocessing(repository))
    record_all(repository)


@pytest.mark.usefixtures("second_preprocessing")
def test_two_preprocessings_side_by_side(rollout: Rollout, repository: Path, server: Server) -> None:
    url = server.grpc_url
    with background_requests([url, url], STABLE) as stable, Client(f"grpc://{url}") as client:

        def nickname_weight(model: str) -> float:
            return client.predict(nickname=NEW_SENTINEL, model=model).weights.nickname

        rollout("canary", "mobilenet", "5", "--url", url)
        assert served(repository, "preprocess") == [1, 2]
        assert (nickname_weight(STABLE), nickname_weight(CANARY)) == (1, 0)
        rollout("promote", "mobilenet", "--url", url)
        assert stable.sample() == answers_of(5)
        assert nickname_weight(STABLE) == 0
        rollout("rollback", "mobilenet", "--url", url)
        assert nickname_weight(STABLE) == 1
        rollout("end", "mobilenet", "--url", url)
        assert stable.sample() == answers_of(2)
    assert served(repository, "preprocess") == [1]


@pytest.mark.usefixtures("second_preprocessing")
def test_unloaded_version_finishes_its_requests(rollout: Rollout, repository: Path, server: Server) -> None:
    url = server.grpc_url
    rollout("canary", "mobilenet", "5", "--url", url)
    hold, held = (repository.parent / name for name in ("hold", "held"))
    hold.touch()
    with Client(f"grpc://{url}", model=CANARY, timeout_s=60) as client, ThreadPoolExecutor() as pool:
        request = pool.submit(client.predict, nickname="小美")
        try:
            wait_until(held.exists)
            rollout("end", "mobilenet", "--url", url)
            assert not TritonControl(url).is_ready("mobilenet", 5)
            assert not request.done()
        finally:
            hold.unlink()
        assert request.result().probabilities.female == pytest.approx(p_female(5))


def test_response_cache_never_answers_for_another_version(rollout: Rollout, server: Server) -> None:
    with Client(f"grpc://{server.grpc_url}", model=STABLE) as client:
        before = statistics(server, STABLE)["cached"]
        assert [client.predict(nickname="小美").version for _ in range(3)] == ["2", "2", "2"]
        assert statistics(server, STABLE)["cached"] >= before + 2
        rollout("canary", "mobilenet", "3", "--url", server.grpc_url)
        rollout("promote", "mobilenet", "--url", server.grpc_url)
        promoted = client.predict(nickname="小美")
        rollout("rollback", "mobilenet", "--url", server.grpc_url)
        rolled_back = client.predict(nickname="小美")
        rollout("end", "mobilenet", "--url", server.grpc_url)
    assert promoted.probabilities.female == pytest.approx(p_female(3))
    assert rolled_back.probabilities.female == pytest.approx(p_female(2))


def test_server_that_missed_a_command_catches_up(rollout: Rollout, server: Server) -> None:
    url = server.grpc_url
    rollout("canary", "mobilenet", "4")
    difference = f"gender_mobilenet_canary: preprocess 1, mobilenet 4\n  but {url} serves nothing"
    assert difference in rollout("list", "--url", url)
    with background_requests([url], STABLE) as stable:
        rollout("promote", "mobilenet", "--url", url)
        assert stable.sample() == answers_of(4)
        rollout("rollback", "mobilenet", "--url", url)
        rollout("end", "mobilenet", "--url", url)
        assert stable.sample() == answers_of(2)


def test_version_that_does_not_load_changes_nothing(rollout: Rollout, repository: Path, server: Server) -> None:
    publish(repository, 6, image_size=96)
    record_all(repository)
    before = tree(repository)
    message = f"{server.grpc_url}: cannot load mobilenet: .* 'IMAGE': .*; everything is served as before"
    with background_requests([server.grpc_url], STABLE) as stable:
        with pytest.raises(SystemExit, match=message):
            rollout("canary", "mobilenet", "6", "--url", server.grpc_url)
        assert stable.sample() == answers_of(2)
    assert tree(repository) == before


def test_failure_of_one_server_restores_the_others(
    rollout: Rollout, repository: Path, server: Server, tmp_path: Path
) -> None:
    before = tree(repository)
    with running_triton(tmp_path, *EXPLICIT[:1]) as other, background_requests([server.grpc_url], STABLE) as stable:
        url = other.grpc_url
        message = f"{url}: cannot load mobilenet: .*; the files are restored, but {url} could not be restored"
        with pytest.raises(SystemExit, match=message):
            rollout("canary", "mobilenet", "3", "--url", server.grpc_url, "--url", url)
        assert stable.sample() == answers_of(2)
    assert tree(repository) == before
    with Client(f"grpc://{server.grpc_url}") as client, pytest.raises(Unavailable):
        client.predict(nickname="小美", model=CANARY)


@pytest.mark.parametrize(
    ("flags", "message"),
    [((), "explicit model load / unload is not allowed"), ((*EXPLICIT[:1], LOCKED), "This protocol is restricted")],
)
def test_server_without_model_control_is_reported_before_any_change(
    rollout: Rollout,
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    flags: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "wrong")
    before = tree(repository)
    expected = f"{message}.*; start it with --model-control-mode=explicit .* set {KEY_VARIABLE}"
    with running_triton(tmp_path, *flags) as server, pytest.raises(SystemExit, match=expected):
        rollout("canary", "mobilenet", "3", "--url", server.grpc_url)
    assert tree(repository) == before


def test_triton_refuses_weights_of_another_preprocessing(tmp_path: Path) -> None:
    folder = write_repository(tmp_path / "model_repository")
    publish(folder, 2, digest=UNKNOWN_DIGEST)
    message = r"mobilenet/2/model\.onnx .*0123456789ab.*preprocess 1"
    with pytest.raises(StartError, match=message), running_triton(folder, *EXPLICIT[:1], "--load-model=preprocess"):
        pass


def test_started_server_serves_what_the_files_say(tmp_path: Path) -> None:
    folder = write_repository(tmp_path / "model_repository")
    write_changes(canary(Repository(folder), "mobilenet", 3))
    write_changes(promote(Repository(folder), "mobilenet"))
    write_changes(canary(Repository(folder), "mobilenet", 4))
    with running_triton(folder) as server, Client(f"grpc://{server.grpc_url}") as client:
        assert [client.predict(nickname="小美", model=model).version for model in (STABLE, CANARY)] == ["3", "4"]
