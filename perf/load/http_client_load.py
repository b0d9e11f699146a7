"""Closed-loop load on any HTTP server: each client sends its next request when the last one is answered.

perf_analyzer only knows servers that speak Triton's protocol. This generator runs in one process on gevent and
geventhttpclient, the stack of Triton's own HTTP client, and takes little of the CPU that it shares with the server.
"""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from time import perf_counter
from typing import Any, Final, NamedTuple

import gevent
import numpy as np
from geventhttpclient import HTTPClient

from genderprep.tensors import AVATAR, NICKNAME, PROBABILITIES

from ..report.experiment import MeasurementError
from .perf_analyzer import PERCENTILES
from .workload import SyntheticUser

TIMEOUT_S: Final = 30.0
# Pause of a background job before it sends a refused request again.
RETRY_AFTER_S: Final = 0.02
ANSWERED, REFUSED = 200, 503


class HttpLoadError(MeasurementError):
    """A server answered with an unexpected status."""


class Request(NamedTuple):
    """A POST request."""

    path: str
    headers: dict[str, str]
    body: bytes


def triton_request(model: str, user: SyntheticUser) -> Request:
    """Encode a user for a model of Triton: a JSON header, then the tensors in binary."""
    values = {AVATAR: user.avatar, NICKNAME: user.nickname.encode()}
    tensors = [len(value).to_bytes(4, "little") + value for value in values.values()]
    inputs = [
        {"name": name, "shape": [1, 1], "datatype": "BYTES", "parameters": {"binary_data_size": len(tensor)}}
        for name, tensor in zip(values, tensors, strict=True)
    ]
    header = json.dumps({"inputs": inputs, "outputs": [{"name": PROBABILITIES}]}).encode()
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(header))}
    return Request(f"/v2/models/{model}/infer", headers, header + b"".join(tensors))


def post_json(url: str, request: Request) -> Any:
    """Send one request to `url` (host:port) and return the parsed JSON of the response.

    Raises:
        HttpLoadError: The status is not 200.
        OSError: The server is unreachable or closed the connection.
    """
    with closing(_connect(url)) as connection:
        return json.loads(_post(connection, request, {ANSWERED})[1])


def closed_loop(url: str, requests: Sequence[Request], clients: int, seconds: float) -> dict[str, float]:
    """Send requests to `url` (host:port) for `seconds` from concurrent clients, each on its own connection.

    Returns:
        The number of `answers`, the rate `per_s`, and percentiles of the latency such as `p99_ms`.

    Raises:
        HttpLoadError: A status is not 200.
        OSError: The server is unreachable or closed a connection.
    """
    times_ms: list[float] = []
    start = perf_counter()
    _run_clients(url, requests, clients, times_ms, {ANSWERED}, lambda: perf_counter() < start + seconds)
    return {"answers": len(times_ms), "per_s": len(times_ms) / (perf_counter() - start), **percentiles_ms(times_ms)}


@contextmanager
def background_job(url: str, requests: Sequence[Request], clients: int) -> Iterator[list[float]]:
    """Run a closed loop on `url` (host:port) in a thread until the context ends; refused requests are sent again.

    Yields:
        The latencies of the answers so far, ms; the list grows.

    Raises:
        HttpLoadError: A status is neither 200 nor 503.
        OSError: The server is unreachable or closed a connection.
    """
    times_ms, failures, stopped = list[float](), list[Exception](), threading.Event()

    def work() -> None:
        try:
            _run_clients(url, requests, clients, times_ms, {ANSWERED, REFUSED}, lambda: not stopped.is_set())
        except Exception as exc:
            failures.append(exc)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield times_ms
    finally:
        stopped.set()
        thread.join()
    if failures:
        raise failures[0]


def percentiles_ms(times_ms: Sequence[float]) -> dict[str, float]:
    """Return the percentiles that all generators report, as `p50_ms` and so on; NaN if there are no times."""
    return {f"p{rank}_ms": float(np.percentile(times_ms, rank)) if times_ms else float("nan") for rank in PERCENTILES}


def _run_clients(
    url: str,
    requests: Sequence[Request],
    clients: int,
    times_ms: list[float],
    expected: set[int],
    is_running: Callable[[], bool],
) -> None:
    def client(number: int) -> None:
        with closing(_connect(url)) as connection:
            while is_running():
                sent = perf_counter()
                status, _ = _post(connection, requests[number % len(requests)], expected)
                if status == ANSWERED:
                    times_ms.append(1000 * (perf_counter() - sent))
                    number += clients
                else:
                    gevent.sleep(RETRY_AFTER_S)

    gevent.joinall([gevent.spawn(client, number) for number in range(clients)], raise_error=True)


def _connect(url: str) -> Any:
    host, port = url.split(":")
    return HTTPClient(host, int(port), connection_timeout=TIMEOUT_S, network_timeout=TIMEOUT_S)


def _post(connection: Any, request: Request, expected: set[int]) -> tuple[int, bytes]:
    response = connection.post(request.path, body=request.body, headers=request.headers)
    status, content = response.status_code, bytes(response.read())
    if status not in expected:
        raise HttpLoadError(f"POST {request.path.partition('?')[0]}: {status} {content[:300]!r}")
    return status, content
