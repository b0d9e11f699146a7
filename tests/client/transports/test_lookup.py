"""Lookups of host names."""

import socket
import threading
from typing import Any

import pytest

from genderclient._transports.lookup import look_up


def test_callers_of_one_host_share_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    release, hosts = threading.Event(), []

    def wait(host: str, *args: Any, **options: Any) -> list[Any]:
        hosts.append(host)
        release.wait()
        return [host]

    monkeypatch.setattr(socket, "getaddrinfo", wait)
    lookups = [look_up("one.example", 1) for _ in range(50)] + [look_up("two.example", 1)]
    release.set()
    assert [list[Any](lookup.result(5)) for lookup in lookups] == [["one.example"]] * 50 + [["two.example"]]
    assert sorted(hosts) == ["one.example", "two.example"]
    look_up("one.example", 1).result(5)
    assert len(hosts) == 3, "a finished lookup is not kept"


def test_thread_that_cannot_start_fails_its_own_lookup_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        with pytest.raises(OSError, match="can't start new thread"):
            look_up("127.0.0.1", 1).result(0)
    assert look_up("127.0.0.1", 1).result(5)


@pytest.mark.parametrize("host", ["one..example", "." * 3, "x" * 64 + ".example"])
def test_name_that_idna_rejects_is_an_os_error(host: str) -> None:
    with pytest.raises(OSError, match="not a host name"):
        look_up(host, 1).result(5)
