"""Several servers: taken in turn, and left alone when they fail."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from genderclient import Client, Status, Unavailable
from genderclient._transports.replicas import Replicas
from server.launch.process import free_ports
from tests.support.tritonserver import ROOT, Server, running_triton


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_all_are_asked_in_turn() -> None:
    replicas = Replicas(3)
    assert [replicas.pick() for _ in range(5)] == [0, 1, 2, 0, 1]


def test_who_fails_is_left_alone_longer_each_time() -> None:
    clock = Clock()
    replicas = Replicas(2, now=clock)
    for seconds in (1, 2, 4):
        replicas.report(0, Status.UNAVAILABLE)
        clock.now_s += seconds - 0.1
        assert {replicas.pick() for _ in range(4)} == {1}
        clock.now_s += 0.2
        assert {replicas.pick() for _ in range(4)} == {0, 1}
    replicas.report(0, None)
    replicas.report(0, Status.UNAVAILABLE)
    clock.now_s += 1.1
    assert 0 in {replicas.pick() for _ in range(2)}  # it is back after one second again


@pytest.mark.parametrize("status", [Status.INVALID_ARGUMENT, Status.OVERLOADED])
def test_who_says_no_is_well(status: Status) -> None:
    replicas = Replicas(2)
    replicas.report(0, status)
    assert {replicas.pick() for _ in range(2)} == {0, 1}


def test_who_hangs_is_left_alone_after_the_third_time() -> None:
    replicas = Replicas(2, now=Clock())
    for _ in range(2):
        replicas.report(0, Status.DEADLINE_EXCEEDED)
    assert {replicas.pick() for _ in range(2)} == {0, 1}
    replicas.report(0, None)
    for _ in range(3):
        assert 0 in {replicas.pick() for _ in range(2)}
        replicas.report(0, Status.DEADLINE_EXCEEDED)
    assert {replicas.pick() for _ in range(2)} == {1}


def test_who_has_failed_a_thousand_times_is_still_left_alone() -> None:
    clock = Clock()
    replicas = Replicas(1, now=clock)
    for _ in range(2000):
        replicas.report(0, Status.UNAVAILABLE)
    assert not replicas.any_well()
    clock.now_s = 30
    assert replicas.any_well()


def test_when_all_failed_the_first_to_come_back_is_asked() -> None:
    clock = Clock()
    replicas = Replicas(2, now=clock)
    replicas.report(0, Status.UNAVAILABLE)
    clock.now_s = 0.5
    replicas.report(1, Status.UNAVAILABLE)
    assert {replicas.pick() for _ in range(3)} == {0}


@pytest.fixture(params=["grpc", "http"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def address(server: Server, scheme: str) -> str:
    return f"{scheme}://{server.grpc_url if scheme == 'grpc' else server.http_url}"


def test_nobody_notices_a_server_that_is_not_there(scheme: str, triton: Server) -> None:
    (port,) = free_ports(1)
    with Client([f"{scheme}://127.0.0.1:{port}", address(triton, scheme)]) as client:
        assert [client.predict(nickname="小美").gender for _ in range(8)] == ["female"] * 8


def test_nobody_notices_a_server_that_dies(scheme: str, triton: Server) -> None:
    with ExitStack() as stack:
        mortal = stack.enter_context(running_triton(ROOT / "model_repository"))
        client = stack.enter_context(Client([address(mortal, scheme), address(triton, scheme)]))
        said: list[str] = []
        for number in range(20):
            if number == 6:
                mortal.process.kill()
            said.append(client.predict(nickname="小美").gender)
    assert said == ["female"] * 20


def test_with_nobody_there_the_error_says_how_often_it_was_tried(scheme: str) -> None:
    urls: Iterator[str] = (f"{scheme}://127.0.0.1:{port}" for port in free_ports(2))
    with Client(list(urls)) as client, pytest.raises(Unavailable, match="sent 3 times") as caught:
        client.predict(nickname="小美")
    assert caught.value.attempts == 3
