"""A real server under supervision, harmed for real."""

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from genderclient import Client, GenderClientError, Retry
from quickstart.answers import MODELS
from quickstart.samples import drawn_samples
from reliability.faults.replica import Replica, replica
from server.supervisor.__main__ import GAVE_UP

AT_ONCE = 48
# Nobody but the supervisor may unload models.
CLOSED = "--http-restricted-api=model-repository:admin-key=secret"
NOT_LET_IN = re.compile("failed to connect|refused|Server is stopping")


def test_revived_replaced_and_given_up(tmp_path: Path) -> None:
    with replica(tmp_path, "--restart-limit=1", CLOSED) as server:
        server.wait(server.is_ready, "ready")
        with the_same_server(server):
            server.kill_stub("mobilenet")
            server.wait(lambda: revivals(server) == 1 and server.is_ready(), "revived")
        assert len(server.stubs("mobilenet")) == 2
        answers_all(server)

        hung = server.server_pid()
        os.kill(hung, signal.SIGSTOP)
        server.wait(lambda: server.status("/ready")[0] == 503, "seen to hang")
        assert 'gender_canary_ok{model="gender_mobilenet"} 0' in server.status("/metrics")[1]
        server.wait(server.is_ready, "replaced")
        assert server.server_pid() != hung
        answers_all(server)

        os.kill(server.server_pid(), signal.SIGKILL)
        assert server.process
        assert server.process.wait(30) == GAVE_UP
        assert server.said() == [
            f"every ensemble answers; http://127.0.0.1:{server.ports[3]}/ready says so",
            "mobilenet: cannot answer; loading anew",
            server.said()[2],
            "giving up: tritonserver ended by itself with exit code -9; restarted 1 times in vain",
        ]
        assert re.fullmatch(r"tritonserver answers nothing after \d+\.\d s; starting another one", server.said()[2])
        assert shared_memory(server) == set()


def test_replaced_and_ended(tmp_path: Path) -> None:
    with replica(tmp_path) as server:
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
        answers_all(server)

        with asked_at_once(server) as outcomes:
            told_s = time.monotonic()
            assert server.stop() == 128 + signal.SIGTERM
        refused = [outcome for _, outcome in outcomes if isinstance(outcome, Exception)]
        assert [str(each) for each in refused if not NOT_LET_IN.search(str(each))] == []
        assert sum(outcome is None and at_s > told_s for at_s, outcome in outcomes) > 0
        assert shared_memory(server) == set()


@contextmanager
def the_same_server(server: Replica) -> Iterator[None]:
    before = server.server_pid()
    yield
    assert server.server_pid() == before


def revivals(server: Replica) -> int:
    found = re.search(r'^gender_model_revivals_total{model="mobilenet"} (\d+)$', server.status("/metrics")[1], re.M)
    return int(found[1]) if found else 0


def answers_all(server: Replica) -> None:
    """Often enough for every instance."""
    with Client(f"grpc://{server.grpc_url}", retry=Retry(attempts=1)) as client:
        for model in MODELS * 4:
            assert client.predict(nickname="小美", model=model).gender == "female"


def shared_memory(server: Replica) -> set[str]:
    """What the supervisor's servers have in shared memory."""
    assert server.process
    return {file.name for file in Path("/dev/shm").glob(f"triton_{server.process.pid}_*")}


@contextmanager
def asked_at_once(server: Replica) -> Iterator[list[tuple[float, Exception | None]]]:
    """Many requests, some of which have been answered on entering, all of them on leaving."""
    user, outcomes = drawn_samples()[0], list[tuple[float, Exception | None]]()

    def ask() -> None:
        error: Exception | None = None
        try:
            client.predict(avatar=user.avatar, nickname=user.nickname, model="gender_densenet")
        except GenderClientError as exc:
            error = exc
        outcomes.append((time.monotonic(), error))

    with Client(f"grpc://{server.grpc_url}", retry=Retry(attempts=1), timeout_s=60) as client:
        ask()
        threads = [threading.Thread(target=ask) for _ in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        server.wait(in_the_middle(outcomes), "in the middle")
        yield outcomes
        for thread in threads:
            thread.join()


def in_the_middle(outcomes: list[tuple[float, Exception | None]]) -> Callable[[], bool]:
    return lambda: len(outcomes) > 4
