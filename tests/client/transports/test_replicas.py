"""Load balancing and ejection, and several real servers."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from genderclient import Client, Status, Unavailable
from genderclient._transports.replicas import Replicas
from server.launch.process import free_ports
from tests.support.tritonserver import running_gender_models


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_round_robin() -> None:
    replicas = Replicas(3)
    assert [replicas.pick() for _ in range(5)] == [0, 1, 2, 0, 1]


def test_ejection_time_doubles() -> None:
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
    assert 0 in {replicas.pick() for _ in range(2)}  # a response resets the ejection time


@pytest.mark.parametrize("status", [Status.INVALID_ARGUMENT, Status.OVERLOADED])
def test_refusal_counts_as_healthy(status: Status) -> None:
    replicas = Replicas(2)
    replicas.report(0, status)
    assert {replicas.pick() for _ in range(2)} == {0, 1}


def test_third_timeout_ejects() -> None:
    replicas = Replicas(2, now=Clock())
    for _ in range(2):
        replicas.report(0, Status.DEADLINE_EXCEEDED)
    assert {replicas.pick() for _ in range(2)} == {0, 1}
    replicas.report(0, None)
    for _ in range(3):
        assert 0 in {replicas.pick() for _ in range(2)}
        replicas.report(0, Status.DEADLINE_EXCEEDED)
    assert {replicas.pick() for _ in range(2)} == {1}


def test_ejection_time_is_bounded() -> None:
    clock = Clock()
    replicas = Replicas(1, now=clock)
    for _ in range(2000):
        replicas.report(0, Status.UNAVAILABLE)
        assert not replicas.any_available()
        clock.now_s += 30
        assert replicas.any_available()


def test_requests_that_fail_together_eject_once() -> None:
    clock = Clock()
    replicas = Replicas(2, now=clock)
    for _ in range(6):
        replicas.report(0, Status.UNAVAILABLE)
    clock.now_s = 1.1
    assert {replicas.pick() for _ in range(2)} == {0, 1}


def test_untried_servers_come_first() -> None:
    replicas = Replicas(3)
    assert [replicas.pick([0, 1]) for _ in range(3)] == [2, 2, 2]
    assert {replicas.pick([0, 1, 2]) for _ in range(3)} == {0, 1, 2}
    replicas.report(2, Status.UNAVAILABLE)
    assert replicas.pick([0, 1]) in (0, 1)


def test_first_ejection_to_end_is_used_if_all_are_ejected() -> None:
    clock = Clock()
    replicas = Replicas(2, now=clock)
    replicas.report(0, Status.UNAVAILABLE)
    clock.now_s = 0.5
    replicas.report(1, Status.UNAVAILABLE)
    assert {replicas.pick() for _ in range(3)} == {0}


def test_missing_server_is_skipped(scheme: str, url: str) -> None:
    (port,) = free_ports(1)
    with Client([f"{scheme}://127.0.0.1:{port}", url]) as client:
        assert [client.predict(nickname="小美").gender for _ in range(8)] == ["female"] * 8


def test_killed_server_is_skipped(scheme: str, url: str) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(running_gender_models())
        first_url = f"{scheme}://{first.grpc_url if scheme == 'grpc' else first.http_url}"
        client = stack.enter_context(Client([first_url, url]))
        genders: list[str] = []
        for number in range(20):
            if number == 6:
                first.process.kill()
            genders.append(client.predict(nickname="小美").gender)
    assert genders == ["female"] * 20


def test_missing_servers_are_unavailable(scheme: str) -> None:
    urls: Iterator[str] = (f"{scheme}://127.0.0.1:{port}" for port in free_ports(2))
    with Client(list(urls)) as client, pytest.raises(Unavailable, match="sent 3 times") as caught:
        client.predict(nickname="小美")
    assert caught.value.attempts == 3
