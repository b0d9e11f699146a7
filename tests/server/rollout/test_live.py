"""The commands on running servers while users ask: not one request fails, and each is answered by the right version."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tritonclient.grpc import InferenceServerClient

from genderclient import Client, Experiment, Unavailable
from server.edge.admin_lock import KEY_VARIABLE
from server.launch.process import StartError
from server.rollout.files import write
from server.rollout.operations import canary, promote
from server.rollout.repository import Repository
from tests.server.rollout.conftest import Lifecycle
from tests.support.server.gender_models import (
    NEW_SENTINEL,
    add_preprocessing,
    female,
    publish,
    served,
    tree,
    write_repository,
)
from tests.support.server.rollout_load import asking
from tests.support.tritonserver import Server, running_triton

EXPLICIT = ("--model-control-mode=explicit", "--load-model=*")
STABLE, CANARY = "gender_mobilenet", "gender_mobilenet_canary"
KEY = "open sesame"
CACHE = f"--cache-config=local,size={2**24}"
LOCKED = f"--grpc-restricted-protocol=model-repository:admin-key={KEY}"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_repository(tmp_path_factory.mktemp("live") / "model_repository")


@pytest.fixture(scope="module")
def server(repository: Path) -> Iterator[Server]:
    with running_triton(repository, *EXPLICIT, LOCKED, CACHE) as server:
        yield server


def of(*versions: int) -> set[tuple[str, float]]:
    """Answers by these versions of the weights, which is what they say."""
    return {(str(version), female(version)) for version in versions}


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """What opens the server's model control."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)


def cached(server: Server) -> int:
    """How many answers came from the server's cache."""
    with InferenceServerClient(server.grpc_url) as client:
        (found,) = client.get_inference_statistics(STABLE, "2").model_stats
    return int(found.inference_stats.cache_hit.count)


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_canary_promotion_and_rollback_under_load(lifecycle: Lifecycle, repository: Path, server: Server) -> None:
    url = server.grpc_url
    before = tree(repository)
    with asking([url, url, url], STABLE) as stable:
        lifecycle("canary", "mobilenet", "3", "--url", url)
        with asking([url, url], CANARY) as canaries:
            assert (stable.now(), canaries.now()) == (of(2), of(3))
            lifecycle("promote", "mobilenet", "--url", url)
            assert (stable.now(), canaries.now()) == (of(3), of(3))
            lifecycle("rollback", "mobilenet", "--url", url)
            assert (stable.now(), canaries.now()) == (of(2), of(3))
            lifecycle("canary", "mobilenet", "4", "--url", url)
            assert (stable.now(), canaries.now()) == (of(2), of(4))
        lifecycle("end", "mobilenet", "--url", url)
        assert stable.now() == of(2)
        assert (stable.versions(), canaries.versions()) == (of(2, 3), of(3, 4))
    assert tree(repository) == before


@pytest.fixture(scope="module")
def second_preprocessing(repository: Path) -> None:
    """There is a preprocess 2, and a version 5 of mobilenet for it."""
    publish(repository, 5, digest=add_preprocessing(repository))


@pytest.mark.usefixtures("second_preprocessing")
def test_two_preprocessings_side_by_side(lifecycle: Lifecycle, repository: Path, server: Server) -> None:
    url = server.grpc_url
    with asking([url, url], STABLE) as stable, Client(f"grpc://{url}") as client:
        lifecycle("canary", "mobilenet", "5", "--url", url)
        assert served(repository, "preprocess") == [1, 2]
        weights = {model: client.predict(nickname=NEW_SENTINEL, model=model).weights for model in (STABLE, CANARY)}
        assert (weights[STABLE].nickname, weights[CANARY].nickname) == (1, 0)
        lifecycle("promote", "mobilenet", "--url", url)
        assert stable.now() == of(5)
        assert client.predict(nickname=NEW_SENTINEL, model=STABLE).weights.nickname == 0
        lifecycle("rollback", "mobilenet", "--url", url)
        assert client.predict(nickname=NEW_SENTINEL, model=STABLE).weights.nickname == 1
        lifecycle("end", "mobilenet", "--url", url)
        assert stable.now() == of(2)
    assert served(repository, "preprocess") == [1]


@pytest.mark.usefixtures("second_preprocessing")
def test_what_goes_gives_its_last_answers(lifecycle: Lifecycle, repository: Path, server: Server) -> None:
    url = server.grpc_url
    lifecycle("canary", "mobilenet", "5", "--url", url)
    hold, held = (repository.parent / name for name in ("hold", "held"))
    hold.touch()
    with Client(f"grpc://{url}", model=CANARY, timeout_s=60) as client, ThreadPoolExecutor() as pool:
        last = pool.submit(client.predict, nickname="小美")
        try:
            wait_until(held.exists)
            lifecycle("end", "mobilenet", "--url", url)
            with InferenceServerClient(url) as triton:
                assert not triton.is_model_ready("mobilenet", "5")
            assert not last.done()
        finally:
            hold.unlink()
        assert last.result().probabilities.female == pytest.approx(female(5))


def test_no_answer_is_of_weights_that_are_served_no_more(lifecycle: Lifecycle, server: Server) -> None:
    """Though the server has cached it."""
    with Client(f"grpc://{server.grpc_url}", model=STABLE) as client:
        before = cached(server)
        assert [client.predict(nickname="小美").version for _ in range(3)] == ["2", "2", "2"]
        assert cached(server) >= before + 2
        lifecycle("canary", "mobilenet", "3", "--url", server.grpc_url)
        lifecycle("promote", "mobilenet", "--url", server.grpc_url)
        promoted = client.predict(nickname="小美")
        lifecycle("rollback", "mobilenet", "--url", server.grpc_url)
        rolled_back = client.predict(nickname="小美")
        lifecycle("end", "mobilenet", "--url", server.grpc_url)
    assert promoted.probabilities.female == pytest.approx(female(3))
    assert rolled_back.probabilities.female == pytest.approx(female(2))


def test_the_share_of_a_canary_is_the_clients_experiment(lifecycle: Lifecycle, server: Server) -> None:
    lifecycle("canary", "mobilenet", "2", "--url", server.grpc_url)
    experiment = Experiment("mobilenet-2", {STABLE: 0.95, CANARY: 0.05})
    with Client(f"grpc://{server.grpc_url}", experiment=experiment) as client:
        found = [client.predict(nickname="小美", user_id=str(user)) for user in range(200)]
    assert all(each.arm == each.model for each in found)
    assert 1 <= sum(each.model == CANARY for each in found) <= 30
    lifecycle("end", "mobilenet", "--url", server.grpc_url)


def test_a_server_that_missed_a_command_catches_up(lifecycle: Lifecycle, server: Server) -> None:
    url = server.grpc_url
    lifecycle("canary", "mobilenet", "4")
    assert f"gender_mobilenet_canary: preprocess 1, mobilenet 4\n  but {url} serves nothing" in lifecycle(
        "list", "--url", url
    )
    with asking([url], STABLE) as stable:
        lifecycle("promote", "mobilenet", "--url", url)
        assert stable.now() == of(4)
        lifecycle("rollback", "mobilenet", "--url", url)
        lifecycle("end", "mobilenet", "--url", url)
        assert stable.now() == of(2)


def test_a_version_that_does_not_load_changes_nothing(lifecycle: Lifecycle, repository: Path, server: Server) -> None:
    publish(repository, 6, image_size=96)
    before = tree(repository)
    message = (
        f"{server.grpc_url}: mobilenet does not load: .* tensor 'IMAGE': the model expects .*; all is served as before"
    )
    with asking([server.grpc_url], STABLE) as stable:
        with pytest.raises(SystemExit, match=message):
            lifecycle("canary", "mobilenet", "6", "--url", server.grpc_url)
        assert stable.now() == of(2)
    assert tree(repository) == before


def test_where_one_server_fails_the_others_are_as_before(
    lifecycle: Lifecycle, repository: Path, server: Server, tmp_path: Path
) -> None:
    before = tree(repository)
    with running_triton(tmp_path, *EXPLICIT[:1]) as other, asking([server.grpc_url], STABLE) as stable:
        message = (
            f"{other.grpc_url}: mobilenet does not load: .*; the files are as before, but {other.grpc_url} could not be"
        )
        with pytest.raises(SystemExit, match=message):
            lifecycle("canary", "mobilenet", "3", "--url", server.grpc_url, "--url", other.grpc_url)
        assert stable.now() == of(2)
    assert tree(repository) == before
    with Client(f"grpc://{server.grpc_url}") as client, pytest.raises(Unavailable):
        client.predict(nickname="小美", model=CANARY)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "explicit model load / unload is not allowed"),
        ((*EXPLICIT[:1], LOCKED), "This protocol is restricted"),
    ],
)
def test_a_server_that_takes_no_orders_is_named(
    lifecycle: Lifecycle,
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    flags: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "wrong")
    before = tree(repository)
    explained = f"its models cannot be changed \\(--model-control-mode=explicit .*{KEY_VARIABLE} opens it .*{message}"
    with running_triton(tmp_path, *flags) as server, pytest.raises(SystemExit, match=explained):
        lifecycle("canary", "mobilenet", "3", "--url", server.grpc_url)
    assert tree(repository) == before


def test_what_was_wired_by_hand_and_does_not_belong_is_not_loaded(tmp_path: Path) -> None:
    folder = write_repository(tmp_path / "model_repository")
    publish(folder, 2, digest="0123456789ab" + "0" * 52)
    refusal = r"mobilenet/2/model\.onnx belongs to preprocessing 0123456789ab, preprocess 1 is"
    with pytest.raises(StartError, match=refusal), running_triton(folder, *EXPLICIT[:1], "--load-model=preprocess"):
        pass


def test_a_server_that_starts_serves_what_the_files_say(tmp_path: Path) -> None:
    folder = write_repository(tmp_path / "model_repository")
    repository = Repository(folder)
    write(canary(repository, "mobilenet", 3))
    write(promote(repository, "mobilenet"))
    write(canary(repository, "mobilenet", 4))
    with running_triton(folder) as server, Client(f"grpc://{server.grpc_url}") as client:
        assert [client.predict(nickname="小美", model=model).version for model in (STABLE, CANARY)] == ["3", "4"]
