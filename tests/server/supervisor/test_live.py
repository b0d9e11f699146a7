"""A real server under supervision whose processes are killed and stopped."""

import os
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from genderclient import Client, GenderClientError, Retry
from reliability.faults.replica import Replica, logged_events, running_replica
from server.catalog import GENDER, Catalog
from server.checksums import record_all
from server.launch.process import ROOT
from server.supervisor.__main__ import GAVE_UP
from server.supervisor.watch import INTERVAL_S
from tests.support.server.onnx_models import unary_config, write_unary
from training.synthetic.sample_users import sample_users

CONCURRENCY = 48
MODELS = [each.name for each in Catalog(ROOT / "model_repository").ensembles(GENDER) if not each.is_canary]
LOCKED = "--grpc-restricted-protocol=model-repository:admin-key=secret"
# It takes AVATAR and NICKNAME, but a gender request to it fails: X is missing.
RANK_ENSEMBLE = """
name: "rank_test" platform: "ensemble" max_batch_size: 8
parameters { key: "role" value { string_value: "rank" } }
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


def test_dead_stub_is_reloaded_and_hung_server_is_replaced(tmp_path: Path) -> None:
    with running_replica(tmp_path, "--restart-limit=1", LOCKED) as server:
        server.wait(server.is_ready, "ready")
        with same_process(server):
            server.kill_stub("mobilenet")
            server.wait(lambda: reloads(server, "mobilenet") == 1 and server.is_ready(), "reloaded")
        assert len(server.stubs("mobilenet")) == 2
        assert_all_answer(server)

        hung = server.server_pid()
        os.kill(hung, signal.SIGSTOP)
        server.wait(lambda: server.status("/ready")[0] == 503, "not ready")
        assert 'gender_canary_ok{model="gender_mobilenet"} 0' in server.status("/metrics")[1]
        server.wait(server.is_ready, "replaced")
        assert server.server_pid() != hung
        assert_all_answer(server)

        os.kill(server.server_pid(), signal.SIGKILL)
        assert server.process
        assert server.process.wait(30) == GAVE_UP
        ready, reloaded, replaced, gave_up = server.actions()
        assert ready == f"every ensemble answers; http://127.0.0.1:{server.ports[3]}/ready says so"
        assert reloaded == "mobilenet: cannot answer; reloading"
        assert re.fullmatch(r"tritonserver does not answer after \d+\.\d s; starting another one", replaced)
        assert gave_up == "giving up: tritonserver exited with code -9; --restart-limit=1 is reached"
        assert shared_memory(server) == set()


def test_killed_server_leaves_nothing_and_shutdown_answers_requests_in_flight(tmp_path: Path) -> None:
    with running_replica(tmp_path) as server:
        server.wait(server.is_ready, "ready")
        killed, regions = server.server_pid(), shared_memory(server)
        orphans = [pid for model in ("preprocess", "mobilenet", "densenet") for pid in server.stubs(model)]
        os.kill(killed, signal.SIGKILL)
        server.wait(lambda: "gender_server_restarts_total 1" in server.status("/metrics")[1], "replaced")
        server.wait(server.is_ready, "ready again")
        assert len(orphans) == 6
        assert not any(Path(f"/proc/{pid}").exists() for pid in orphans)
        assert regions
        assert not regions & shared_memory(server)
        assert_all_answer(server)

        with burst(server) as results:
            stopped_s = time.monotonic()
            assert server.stop() == 128 + signal.SIGTERM
        errors = [str(error) for _, error in results if error]
        assert [error for error in errors if not REFUSED.search(error)] == []
        assert sum(error is None and at_s > stopped_s for at_s, error in results) > 0
        assert shared_memory(server) == set()


def test_broken_model_file_does_not_stop_the_other_ensembles(tmp_path: Path) -> None:
    with running_replica(tmp_path) as server:
        server.wait(server.is_ready, "ready")
        file = Catalog(server.repository).served_onnx("densenet")
        content = file.read_bytes()
        with same_process(server):
            file.write_bytes(content[: len(content) // 2])
            server.kill_stub("densenet")
            server.wait(lambda: "gender_model_set_aside" in set_aside(server), "set aside", 60)
            server.wait(server.is_ready, "ready", 30)
            with Client(f"grpc://{server.grpc_url}", retry=Retry(attempts=1)) as client:
                assert client.predict(nickname="小美", model="gender_mobilenet").gender == "female"
            file.write_bytes(content)
            server.wait(lambda: not set_aside(server) and server.is_ready(), "whole again", 90)
        assert_all_answer(server)
        events = logged_events((server.folder / "supervisor.log").read_text())
        failed, answered = (each for each in events if each.get("model") == "gender_densenet")
        assert (failed["event"], answered["event"]) == ("canary_failed", "canary_answered")
        assert re.fullmatch("[0-9a-f]{32}", failed["request"])
        assert failed["message"].startswith("gender_densenet: ")


def test_changed_model_is_left_out_at_the_next_start(tmp_path: Path) -> None:
    with running_replica(tmp_path) as server:
        server.wait(server.is_ready, "ready")
        record_all(server.repository)
        labels = server.repository / "densenet" / "labels.txt"
        text = labels.read_text()
        labels.write_text("female\nmale\n")
        os.kill(server.server_pid(), signal.SIGKILL)
        server.wait(lambda: bool(set_aside(server)) and server.is_ready(), "ready without the model", 60)
        with Client(f"grpc://{server.grpc_url}", retry=Retry(attempts=1)) as client:
            assert client.predict(nickname="小美", model="gender_mobilenet").gender == "female"
        labels.write_text(text)
        os.kill(server.server_pid(), signal.SIGKILL)
        server.wait(lambda: not server.is_ready(), "noticed")
        server.wait(lambda: not set_aside(server) and server.is_ready(), "whole again", 60)
        assert_all_answer(server)


def set_aside(server: Replica) -> str:
    return "".join(re.findall(r'^gender_model_set_aside{model="densenet"} 1$', server.status("/metrics")[1], re.M))


def test_killed_supervisor_takes_its_server_along_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    with running_replica(tmp_path) as server:
        server.wait(server.is_ready, "ready")
        assert server.process
        orphans = [server.server_pid(), *(pid for each in ("preprocess", "mobilenet") for pid in server.stubs(each))]
        regions = shared_memory(server)
        server.process.kill()
        server.process.wait()
        server.wait(lambda: not any(map(is_running, orphans)), "ended", 10)
        server.start()
        server.wait(server.is_ready, "ready again")
        assert regions
        assert not any((Path("/dev/shm") / region).exists() for region in regions)


def test_stop_signals_during_the_shutdown_leave_nothing(tmp_path: Path) -> None:
    with running_replica(tmp_path) as server:
        server.wait(server.is_ready, "ready")
        assert server.process
        processes = [server.server_pid(), *server.stubs("preprocess")]
        os.kill(server.server_pid(), signal.SIGSTOP)  # it ends only when it is killed
        for _ in range(4):
            server.process.send_signal(signal.SIGINT)
            time.sleep(0.2)
        assert server.process.wait(30) == 128 + signal.SIGINT
        assert not any(map(is_running, processes))
        assert shared_memory(server) == set()


def test_another_triton_on_the_port_is_not_taken_for_the_supervised_one(tmp_path: Path) -> None:
    with running_replica(tmp_path / "first") as first, running_replica(tmp_path / "second") as second:
        first.wait(first.is_ready, "ready")
        second.kill()
        before = len(second.actions())
        second.ports[:3] = first.ports[:3]
        second.start()
        assert second.process
        assert second.process.wait(60) == GAVE_UP
        assert not any("every ensemble answers" in action for action in second.actions()[before:])
        assert first.is_ready()


def test_ensemble_of_another_role_is_watched_by_readiness_and_stubs(tmp_path: Path) -> None:
    with running_replica(tmp_path) as server:
        server.wait(server.is_ready, "ready")
        write_unary(server.repository, "ranker", unary_config())
        (server.repository / "rank_test" / "1").mkdir(parents=True)
        (server.repository / "rank_test" / "config.pbtxt").write_text(RANK_ENSEMBLE)
        with same_process(server):
            for model in ("ranker", "rank_test"):
                server.control.load(model)
            time.sleep(10 * INTERVAL_S)  # longer than a broken canary is tolerated
            assert server.is_ready()
            assert "rank_test" not in server.status("/metrics")[1]

            server.control.unload("rank_test")
            server.wait(lambda: not server.is_ready(), "unready")
            server.control.load("rank_test")
            server.wait(server.is_ready, "ready again")

            server.kill_stub("ranker")
            server.wait(lambda: reloads(server, "ranker") == 1 and server.is_ready(), "reloaded")
        assert server.actions()[1:] == ["ranker: cannot answer; reloading"]


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
    metrics = server.status("/metrics")[1]
    sample = re.search(rf'^gender_model_revivals_total{{model="{model}"}} (\d+)$', metrics, re.M)
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
    """Concurrent requests, of which some are answered on entering and all on leaving; yields end times and errors."""
    user, results = sample_users()[0], list[tuple[float, Exception | None]]()

    def send(_: int) -> None:
        error: Exception | None = None
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
