"""A real server under supervision whose processes are killed and stopped."""

import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from genderclient import Client, GenderClientError, Retry
from reliability.faults.replica import Replica, logged_events, running_replica
from reliability.faults.sandboxes import Sandbox
from server.catalog import GENDER, Catalog
from server.checksums import MANIFEST, record_all
from server.launch.process import ROOT, free_ports
from server.supervisor.__main__ import GAVE_UP
from server.supervisor.snapshot import DEFAULTS
from server.supervisor.watch import INTERVAL_S
from tests.support.server.onnx_models import unary_config, write_unary
from training.synthetic.sample_users import sample_users

CONCURRENCY = 48
MODELS = [each.name for each in Catalog(ROOT / "model_repository").stable_ensembles(GENDER)]
LOCKED = "--grpc-restricted-protocol=model-repository:admin-key=secret"
# It takes AVATAR and NICKNAME, but a gender request to it fails: X is missing.
RANK_ENSEMBLE = """
name: "rank_test" platform: "ensemble" max_batch_size: 8
parameters { key: "role" value { string_value: "another role" } }
input { name: "AVATAR" data_type: TYPE_STRING dims: [ 1 ] }
input { name: "NICKNAME" data_type: TYPE_STRING dims: [ 1 ] }
input { name: "X" data_type: TYPE_FP32 dims: [ 3 ] }
output { name: "PRESENT" data_type: TYPE_BOOL dims: [ 2 ] }
output { name: "Y" data_type: TYPE_FP32 dims: [ 3 ] }
ensemble_scheduling {
  step {
    model_name: "preprocess" model_version: 1
    input_map { key: "AVATAR" value: "AVATAR" } input_map { key: "NICKNAME" value: "NICKNAME" }
    output_map { key: "PRESENT" value: "PRESENT" }
  }
  step {
    model_name: "ranker" model_version: 1
    input_map { key: "X" value: "X" } output_map { key: "Y" value: "Y" }
  }
}
"""
REFUSED = re.compile("failed to connect|refused|Server is stopping")


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """The replica of all tests. Each test may stop it, and leaves its repository as it was."""
    with running_replica(tmp_path_factory.mktemp("replica")) as replica:
        yield replica


@pytest.fixture
def server(replica: Replica) -> Replica:
    """The replica, ready."""
    if not runs(replica):
        replica.start()
    replica.wait(replica.is_ready, "ready")
    return replica


def runs(replica: Replica) -> bool:
    return replica.process is not None and replica.process.poll() is None


def test_ensemble_of_another_role_is_watched_by_readiness_and_stubs(server: Replica) -> None:
    write_unary(server.repository, "ranker", unary_config())
    (server.repository / "rank_test" / "1").mkdir(parents=True)
    (server.repository / "rank_test" / "config.pbtxt").write_text(RANK_ENSEMBLE)
    before = len(server.actions())
    with same_process(server):
        for model in ("ranker", "rank_test"):
            server.control.load(model)
        time.sleep(DEFAULTS.broken_s + 2 * INTERVAL_S)  # longer than a broken canary is tolerated
        assert server.is_ready()
        metrics = server.status("/metrics")[1]
        assert "rank_test" not in metrics
        assert 'gender_model_revivals_total{model="preprocess"} ' in metrics  # from the start, so that increases show

        server.control.unload("rank_test")
        server.wait(lambda: not server.is_ready(), "unready")
        server.control.load("rank_test")
        server.wait(server.is_ready, "ready again")

        server.kill_stub("ranker")
        server.wait(lambda: reloads(server, "ranker") == 1 and server.is_ready(), "reloaded")
        for model in ("rank_test", "ranker"):
            server.control.unload(model)
            shutil.rmtree(server.repository / model)
        server.wait(server.is_ready, "ready without them")
    assert server.actions()[before:] == ["ranker: cannot answer; reloading"]


def test_broken_model_file_does_not_stop_the_other_ensembles(server: Replica) -> None:
    file = Catalog(server.repository).served_onnx("densenet")
    content = file.read_bytes()
    with same_process(server):
        file.write_bytes(content[: len(content) // 2])
        server.kill_stub("densenet")
        server.wait(lambda: "gender_model_set_aside" in set_aside(server), "set aside", 60)
        server.wait(server.is_ready, "ready", 30)
        attempts = reloads(server, "densenet")
        server.wait(lambda: reloads(server, "densenet") > attempts, "loaded again", 30)
        assert server.is_ready()  # while it is loaded
        with Client(f"grpc://{server.grpc_url}", retry=Retry(attempts=1)) as client:
            assert client.predict(nickname="小美", model="gender_mobilenet").gender == "female"
        file.write_bytes(content)
        server.wait(lambda: not set_aside(server) and server.is_ready(), "whole again", 60)
    assert_all_answer(server)
    events = logged_events((server.folder / "supervisor.log").read_text())
    failed, *_, answered = (each for each in events if each.get("model") == "gender_densenet")
    assert (failed["event"], answered["event"]) == ("canary_failed", "canary_answered")
    assert re.fullmatch("[0-9a-f]{32}", failed["request"])
    assert failed["message"].startswith("gender_densenet: ")


def test_killed_server_leaves_nothing_and_a_changed_model_is_left_out(server: Replica) -> None:
    record_all(server.repository)
    labels = server.repository / "densenet" / "labels.txt"
    text = labels.read_text()
    labels.write_text("female\nmale\n")
    regions = shared_memory(server)
    orphans = [pid for model in ("preprocess", "mobilenet", "densenet") for pid in server.stubs(model)]
    restarts = counter(server, "gender_server_restarts_total")
    os.kill(server.server_pid(), signal.SIGKILL)
    server.wait(lambda: counter(server, "gender_server_restarts_total") == restarts + 1, "replaced")
    server.wait(lambda: bool(set_aside(server)) and server.is_ready(), "ready without the model", 60)
    assert len(orphans) == 6
    assert not any(map(is_running, orphans))
    assert regions
    assert not regions & shared_memory(server)
    with Client(f"grpc://{server.grpc_url}", retry=Retry(attempts=1)) as client:
        assert client.predict(nickname="小美", model="gender_mobilenet").gender == "female"
    labels.write_text(text)
    os.kill(server.server_pid(), signal.SIGKILL)
    server.wait(lambda: not server.is_ready(), "noticed")
    server.wait(lambda: not set_aside(server) and server.is_ready(), "whole again", 60)
    assert_all_answer(server)
    (server.repository / MANIFEST).unlink()


def test_another_triton_on_the_port_is_not_taken_for_the_supervised_one(server: Replica, tmp_path: Path) -> None:
    second = Replica(tmp_path, Sandbox(), [*server.ports[:3], *free_ports(1)])
    second.repository.symlink_to(server.repository)
    second.start()
    assert second.process
    assert second.process.wait(60) == GAVE_UP
    assert not any("every ensemble answers" in action for action in second.actions())
    assert server.is_ready()


def test_killed_supervisor_takes_its_server_along_and_the_next_one_cleans_up(server: Replica) -> None:
    assert server.process
    orphans = [server.server_pid(), *(pid for each in ("preprocess", "mobilenet") for pid in server.stubs(each))]
    regions = shared_memory(server)
    server.process.kill()
    server.process.wait()
    server.wait(lambda: not any(map(is_running, orphans)), "ended", 30)
    server.start()
    server.wait(server.is_ready, "ready again")
    assert regions
    assert not any((Path("/dev/shm") / region).exists() for region in regions)


def test_shutdown_answers_requests_in_flight(server: Replica) -> None:
    with burst(server) as results:
        stopped_s = time.monotonic()
        assert server.stop() == 128 + signal.SIGTERM
    errors = [str(error) for _, error in results if error]
    assert [error for error in errors if not REFUSED.search(error)] == []
    assert sum(error is None and at_s > stopped_s for at_s, error in results) > 0
    assert shared_memory(server) == set()


def test_dead_stub_is_reloaded_and_hung_server_is_replaced(replica: Replica) -> None:
    if runs(replica):
        replica.stop()
    before = len(replica.actions())
    replica.start("--restart-limit=1", LOCKED)
    replica.wait(replica.is_ready, "ready")
    with same_process(replica):
        replica.kill_stub("mobilenet")
        replica.wait(lambda: reloads(replica, "mobilenet") == 1 and replica.is_ready(), "reloaded")
    assert len(replica.stubs("mobilenet")) == 2
    assert_all_answer(replica)

    hung = replica.server_pid()
    os.kill(hung, signal.SIGSTOP)
    replica.wait(lambda: replica.status("/ready")[0] == 503, "not ready")
    assert 'gender_canary_ok{model="gender_mobilenet"} 0' in replica.status("/metrics")[1]
    replica.wait(replica.is_ready, "replaced")
    assert replica.server_pid() != hung
    assert_all_answer(replica)

    os.kill(replica.server_pid(), signal.SIGKILL)
    assert replica.process
    assert replica.process.wait(30) == GAVE_UP
    ready, reloaded, replaced, gave_up = replica.actions()[before:]
    assert ready == f"every ensemble answers; http://127.0.0.1:{replica.ports[3]}/ready says so"
    assert reloaded == "mobilenet: cannot answer; reloading"
    assert re.fullmatch(r"tritonserver does not answer after \d+\.\d s; starting another one", replaced)
    assert gave_up == "giving up: tritonserver exited with code -9; --restart-limit=1 is reached"
    assert shared_memory(replica) == set()


def test_stop_signals_during_the_shutdown_leave_nothing(server: Replica) -> None:
    assert server.process
    processes = [server.server_pid(), *server.stubs("preprocess")]
    os.kill(server.server_pid(), signal.SIGSTOP)  # it ends only when it is killed
    for _ in range(4):
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    assert server.process.wait(30) == 128 + signal.SIGINT
    assert not any(map(is_running, processes))
    assert shared_memory(server) == set()


def set_aside(server: Replica) -> str:
    return "".join(re.findall(r'^gender_model_set_aside{model="densenet"} 1$', server.status("/metrics")[1], re.M))


def is_running(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    return False


@contextmanager
def same_process(server: Replica) -> Iterator[None]:
    before = server.server_pid()
    yield
    assert server.server_pid() == before


def reloads(server: Replica, model: str) -> int:
    return counter(server, f'gender_model_revivals_total{{model="{model}"}}')


def counter(server: Replica, name: str) -> int:
    sample = re.search(rf"^{re.escape(name)} (\d+)$", server.status("/metrics")[1], re.M)
    return int(sample[1]) if sample else 0


def assert_all_answer(server: Replica) -> None:
    """Send enough requests to reach every instance."""
    with Client(f"grpc://{server.grpc_url}", retry=Retry(attempts=1)) as client:
        for model in MODELS * 4:
            assert client.predict(nickname="小美", model=model).gender == "female"


def shared_memory(server: Replica) -> set[str]:
    """The shared memory regions of the supervisor's servers."""
    assert server.process
    return {file.name for file in Path("/dev/shm").glob(f"triton_{server.process.pid}_*")}


@contextmanager
def burst(server: Replica) -> Iterator[list[tuple[float, Exception | None]]]:
    """Threads that ask until they fail: some are answered on entering, all fail in the end; yields times and errors."""
    user, results = sample_users()[0], list[tuple[float, Exception | None]]()

    def send(_: int) -> None:
        error: Exception | None = None
        while not error:
            try:
                client.predict(avatar=user.avatar, nickname=user.nickname, model="gender_densenet")
            except GenderClientError as exc:
                error = exc
            results.append((time.monotonic(), error))

    with (
        Client(f"grpc://{server.grpc_url}", retry=Retry(attempts=1), timeout_s=60) as client,
        ThreadPoolExecutor(CONCURRENCY) as pool,
    ):
        pool.map(send, range(CONCURRENCY))
        server.wait(lambda: len(results) > 4, "answering the burst")
        yield results
