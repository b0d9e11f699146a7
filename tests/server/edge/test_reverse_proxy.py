"""nginx in front of Triton: concurrency limit, start and stop."""

import re
import shutil
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.error import HTTPError

import pytest

from genderclient import Client, Unavailable
from perf.load.http_client_load import triton_request
from perf.load.open_loop import RateStep, open_loop, summarize
from perf.load.workload import synthetic_users
from server.edge.access_policy import AccessPolicy
from server.edge.reverse_proxy import TEMPLATE, ReverseProxy, running_reverse_proxy
from server.errors import LaunchError
from server.launch.process import free_ports
from tests.support.server.edge import SHOP, Edge, EdgeFiles
from tests.support.tritonserver import Server
from tests.support.waiting import wait_until

IN_FLIGHT = 2


@pytest.fixture(scope="module")
def narrow(triton: Server, nginx: None) -> Iterator[ReverseProxy]:
    """A reverse proxy that admits two concurrent requests."""
    with running_reverse_proxy(triton.http_url, triton.grpc_url, AccessPolicy(in_flight=IN_FLIGHT)) as running:
        yield running


@pytest.fixture(params=["grpc", "http"])
def client(request: pytest.FixtureRequest, narrow: ReverseProxy) -> Iterator[Client]:
    url = narrow.grpc_url if request.param == "grpc" else narrow.http_url
    with Client(f"{request.param}://{url}") as made:
        yield made


def test_excess_requests_are_rejected_as_overload(client: Client) -> None:
    def predict(number: int) -> str:
        try:
            client.predict(nickname=f"小美{number}")
        except Unavailable as exc:
            assert "overloaded: too many concurrent requests; try again later" in str(exc)
            return "rejected"
        return "answered"

    with ThreadPoolExecutor(16) as pool:
        outcomes = Counter(pool.map(predict, range(96)))
    assert outcomes["answered"] >= IN_FLIGHT
    assert outcomes["rejected"] > 0
    assert client.predict(nickname="小美").gender == "female"


def test_a_flood_is_refused_at_once_or_answered(narrow: ReverseProxy) -> None:
    requests = [triton_request("gender_densenet", user) for user in synthetic_users(8, seed=1)]
    figures = summarize(open_loop(narrow.http_url, requests, [RateStep(800, 2)], seed=1), seconds=2)
    assert figures["refused_per_s"] > figures["per_s"] > 0
    assert figures["given_up_per_s"] == 0


@pytest.mark.usefixtures("nginx")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clients", "line 1: expected"),
        ("certificate", "expected a PEM certificate and its key without a password"),
        ("key", "expected a PEM certificate and its key without a password"),
    ],
)
def test_malformed_file_does_not_hold_requests_at_a_dead_triton(
    triton: Server, files: EdgeFiles, tmp_path: Path, name: str, message: str
) -> None:
    file = Path(shutil.copyfile(getattr(files, name), tmp_path / name))
    (dead,) = free_ports(1)
    policy = replace(files, **{name: file}).policy()
    with running_reverse_proxy(f"127.0.0.1:{dead}", f"127.0.0.1:{dead}", policy) as proxy:
        file.write_text("half a line")
        with pytest.raises(LaunchError, match=message):
            proxy.reload()
        proxy.forward_to(triton.http_url, triton.grpc_url)
        wait_until(lambda: Edge(proxy, files).infer(SHOP).status == 200)


def test_busy_port_is_named(proxy: ReverseProxy, triton: Server) -> None:
    listen = (proxy.http_url, f"127.0.0.1:{free_ports(1)[0]}")
    with (
        pytest.raises(LaunchError, match=r"HTTP port \d+ on 127\.0\.0\.1 is in use; .*--listen-http=<free port>"),
        running_reverse_proxy(triton.http_url, triton.grpc_url, listen=listen),
    ):
        pass


def test_ports_are_free_after_exit(triton: Server, nginx: None) -> None:
    with running_reverse_proxy(triton.http_url, triton.grpc_url) as first:
        pass
    assert first.process.poll() is not None
    with running_reverse_proxy(triton.http_url, triton.grpc_url, listen=(first.http_url, first.grpc_url)):
        pass


def test_log_is_emptied_when_it_is_taken(nginx: None) -> None:
    """The command does so twice a second, so the file does not fill the disk."""
    with running_reverse_proxy("127.0.0.1:1", "127.0.0.1:2") as gone:
        for _ in range(2):
            with pytest.raises(HTTPError, match="502"):
                urllib.request.urlopen(f"http://{gone.http_url}/v2/health/live", timeout=20)
            assert gone.log_file.stat().st_size > 0
            assert gone.take_log().count("Connection refused") == 1
            assert gone.log_file.stat().st_size == 0


def test_temporary_folder_may_contain_spaces(nginx: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "临时 files"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    with running_reverse_proxy("127.0.0.1:1", "127.0.0.1:2") as running:
        assert running.log_file.is_relative_to(folder)


def test_missing_nginx_is_named(triton: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.edge.reverse_proxy.find_nginx", lambda: None)
    with (
        pytest.raises(LaunchError, match="not installed; on Debian, run: apt-get install nginx libnginx-mod-http-js"),
        running_reverse_proxy(triton.http_url, triton.grpc_url),
    ):
        pass


def test_template_documents_each_variable() -> None:
    text = TEMPLATE.read_text()
    used = re.findall(r"\$\{([A-Z_]+)\}", text)
    assert set(used) == set(re.findall(r"^#   ([A-Z_]+) ", text, re.MULTILINE))
