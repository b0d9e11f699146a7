"""What the reverse proxy reports of its requests: counts, the failed ones as JSON, and its certificate's expiry."""

import io
import json
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from pathlib import Path

import pytest
from tritonclient.grpc import service_pb2 as pb

from server.edge.metrics import LINES_PER_S, EdgeMetrics, certificate_expiry_s, running_metrics
from server.edge.reverse_proxy import running_reverse_proxy
from server.launch.process import Server, free_ports
from tests.support.server.edge import INFER, JOB, MODEL, SHOP, Edge, EdgeFiles, bearer
from tests.support.waiting import wait_until

PREFIX = b"<190>Nov 26 12:00:00 nginx: "


def datagram(client: str = "shop", status: str = "400", grpc_status: str = "") -> bytes:
    request = {"client": client, "status": status, "grpc_status": grpc_status, "upstream": "", "request": "0123"}
    return PREFIX + json.dumps(request).encode()


@pytest.mark.parametrize(
    ("sent", "is_logged"),
    [
        (datagram(), True),
        (datagram(status="200", grpc_status="14"), True),
        (datagram(status="200", grpc_status="0"), False),
        (datagram(status="200"), False),
        (datagram(client="", status="401"), False),
    ],
)
def test_failed_requests_of_known_clients_are_logged(sent: bytes, is_logged: bool) -> None:
    line = EdgeMetrics().note(sent, 0)
    assert (line is not None) is is_logged
    assert line is None or json.loads(line)["request"] == "0123"


@pytest.mark.parametrize(
    "sent", [b"", b"{", PREFIX + b"[1]", PREFIX + b'{"client": "shop"}', b"\xff{}", b'{"a":' * 10_000]
)
def test_other_datagrams_are_ignored(sent: bytes) -> None:
    metrics = EdgeMetrics()
    assert metrics.note(sent, 0) is None
    assert not metrics.requests


def test_numbers_in_place_of_texts_are_counted() -> None:
    metrics = EdgeMetrics()
    line = metrics.note(PREFIX + b'{"client": "shop", "status": 500, "grpc_status": 14, "upstream": ""}', 0)
    assert line
    assert json.loads(line)["level"] == "error"


def test_program_ends_on_sigterm() -> None:
    port = free_ports(1)[0]
    with subprocess.Popen(
        [sys.executable, "-m", "server.edge.metrics", "--listen=127.0.0.1:0", f"--port={port}"]
    ) as program:
        wait_until(lambda: is_open(port))
        program.terminate()
        assert program.wait(10) == 128 + signal.SIGTERM


def is_open(port: int) -> bool:
    with suppress(OSError):
        return bool(metrics_of(port))
    return False


def test_path_that_is_not_utf8_is_counted_and_logged() -> None:
    metrics = EdgeMetrics()
    line = metrics.note(datagram().replace(b"0123", b"\xff"), 0)
    assert line
    assert json.loads(line)["request"] == "\N{REPLACEMENT CHARACTER}"
    assert metrics.requests.total() == 1


def test_full_disk_does_not_end_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full").open("w", buffering=1)  # noqa: SIM115 - closing it fails too
    monkeypatch.setattr(sys, "stdout", full)
    port = free_ports(1)[0]
    with running_metrics(("127.0.0.1", 0), "127.0.0.1", port, ("127.0.0.1", 1)) as log_port:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nginx:
            for _ in range(2):
                nginx.sendto(datagram(), ("127.0.0.1", log_port))
        wait_until(lambda: 'status="400",grpc_status="",answered_by="front"} 2\n' in metrics_of(port))
    with suppress(OSError):
        full.close()


@pytest.mark.parametrize(
    ("status", "grpc_status", "level"),
    [
        ("400", "", "warning"),
        ("503", "", "error"),
        ("200", "3", "warning"),
        ("200", "13", "error"),
        ("200", "14", "error"),
    ],
)
def test_fault_of_the_server_is_an_error_in_both_protocols(status: str, grpc_status: str, level: str) -> None:
    line = EdgeMetrics().note(datagram(status=status, grpc_status=grpc_status), 0)
    assert line
    assert json.loads(line)["level"] == level


def test_log_is_limited_but_everything_is_counted() -> None:
    metrics = EdgeMetrics()
    lines = [metrics.note(datagram(), 5.5) for _ in range(10_000)]
    assert sum(line is not None for line in lines) == LINES_PER_S
    assert metrics.note(datagram(), 6.0)
    text = metrics.text(None)
    assert 'gender_edge_requests_total{client="shop",status="400",grpc_status="",answered_by="front"} 10001\n' in text
    assert f"gender_edge_unlogged_total {10_000 - LINES_PER_S}\n" in text
    assert "gender_edge_up 0\n" in text


@pytest.fixture(scope="module")
def observed(triton: Server, files: EdgeFiles, nginx: None) -> Iterator[tuple[Edge, int]]:
    port = free_ports(1)[0]
    with running_reverse_proxy(triton.http_url, triton.grpc_url, files.policy(), metrics_port=port) as proxy:
        yield Edge(proxy, files), port


def complete_lines(printed: io.StringIO, path: str) -> list[str]:
    """The complete lines about a path; others may belong to requests of an earlier test.

    They are read from a redirected stdout: reading `capfd` loses what another thread prints during the read.
    """
    return [line for line in printed.getvalue().splitlines(True) if path in line and line.endswith("\n")]


def metrics_of(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        return str(response.read().decode())


def test_requests_of_both_protocols_are_counted_by_client(observed: tuple[Edge, int]) -> None:
    edge, port = observed
    assert edge.infer(SHOP).status == 200
    assert edge.infer(SHOP, b'{"inputs": []}').status == 400
    assert edge.infer("wrong").status == 401
    assert edge.http("GET", "/v2/nowhere?nickname=secret", bearer(JOB)).status == 404
    assert edge.grpc("ModelReady", pb.ModelReadyRequest(name=MODEL), SHOP) == "OK"
    assert edge.grpc("ModelMetadata", pb.ModelMetadataRequest(name="nowhere"), SHOP).startswith("NOT_FOUND")
    expected = [
        ("shop", "200", "", "triton"),
        ("shop", "400", "", "front"),
        ("", "401", "", "front"),
        ("bulk-scoring", "404", "", "front"),
        ("shop", "200", "0", "triton"),
        ("shop", "200", "5", "triton"),
    ]
    sample = 'gender_edge_requests_total{{client="{}",status="{}",grpc_status="{}",answered_by="{}"}} 1'
    lines = {sample.format(*labels) for labels in expected}
    wait_until(lambda: lines <= set(metrics_of(port).splitlines()))


def test_client_cannot_hide_a_request_by_its_path(observed: tuple[Edge, int]) -> None:
    """nginx normalizes a path that begins with a folder which is not UTF-8, and forwards the request."""
    edge, port = observed
    host, number = edge.proxy.http_url.split(":")
    sample = 'gender_edge_requests_total{client="bulk-scoring",status="400",grpc_status="",answered_by="front"} 1'
    head = f"Host: {host}\r\nAuthorization: Bearer {JOB}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
    path = f"/\N{REPLACEMENT CHARACTER}/..{INFER.path}"
    with redirect_stdout(io.StringIO()) as printed:
        with (
            socket.create_connection((host, int(number))) as raw,
            edge.tls().wrap_socket(raw, server_hostname=host) as tls,
        ):
            tls.sendall(b"POST /\xff/.." + INFER.path.encode() + b" HTTP/1.1\r\n" + head.encode())
            assert tls.recv(1000).startswith(b"HTTP/1.1 400 ")
        wait_until(lambda: sample in metrics_of(port).splitlines())
        wait_until(lambda: path in [json.loads(line)["path"] for line in complete_lines(printed, INFER.path)])


def test_failed_request_is_logged_by_its_id_without_query_or_token(observed: tuple[Edge, int]) -> None:
    edge, _ = observed
    with redirect_stdout(io.StringIO()) as printed:
        edge.http("GET", "/v2/nowhere?nickname=secret", bearer(JOB) | {"X-Request-ID": "0a1b"})
        edge.http("GET", "/v2/nowhere", bearer(JOB) | {"X-Request-ID": "odd\tid"})
        wait_until(lambda: len(complete_lines(printed, "/v2/nowhere")) == 2)
    first, second = map(json.loads, complete_lines(printed, "/v2/nowhere"))
    assert (first["request"], first["client"], first["status"], first["path"]) == (
        "0a1b",
        "bulk-scoring",
        "404",
        "/v2/nowhere",
    )
    assert len(second["request"]) == 32
    assert "secret" not in printed.getvalue()
    assert JOB not in printed.getvalue()


def test_expiry_is_that_of_the_presented_certificate(observed: tuple[Edge, int]) -> None:
    edge, port = observed
    host, number = edge.proxy.http_url.split(":")
    with socket.create_connection((host, int(number))) as raw, edge.tls().wrap_socket(raw, server_hostname=host) as tls:
        certificate = tls.getpeercert()
    assert certificate
    expected = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    assert certificate_expiry_s(host, int(number)) == expected
    assert f"gender_edge_certificate_expiry_timestamp_seconds {expected}\n" in metrics_of(port)
    assert certificate_expiry_s(host, free_ports(1)[0]) is None
