"""A load generator for any server that answers POST: perf_analyzer knows only those that speak Triton's protocol.

On gevent and geventhttpclient, which Triton's own HTTP client is made of: one process, and little of the CPU that the
servers share with it.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from random import Random
from time import perf_counter
from typing import Any, Final, NamedTuple

import gevent
import numpy as np
from gevent.pool import Group
from geventhttpclient import HTTPClient

from genderprep.tensors import AVATAR, NICKNAME, PROBABILITIES

from .perf_analyzer import PERCENTILES
from .workload import User

TIMEOUT_S: Final = 30.0
# How long a user waits for a picture to be chosen.
PATIENCE_S: Final = 5.0
# How long a job rests before it asks again what was refused.
PAUSE_S: Final = 0.02
ANSWERED, REFUSED = 200, 503


class HttpLoadError(RuntimeError):
    """A request was answered with a status that nobody expected."""


class Request(NamedTuple):
    """A POST."""

    path: str
    headers: dict[str, str]
    body: bytes


def triton_request(model: str, user: User) -> Request:
    """A user for one of Triton's models: binary tensors behind a header that says how long they are."""
    values = {AVATAR: user.avatar, NICKNAME: user.nickname.encode()}
    tensors = [len(value).to_bytes(4, "little") + value for value in values.values()]
    inputs = [
        {"name": name, "shape": [1, 1], "datatype": "BYTES", "parameters": {"binary_data_size": len(tensor)}}
        for name, tensor in zip(values, tensors, strict=True)
    ]
    header = json.dumps({"inputs": inputs, "outputs": [{"name": PROBABILITIES}]}).encode()
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(header))}
    return Request(f"/v2/models/{model}/infer", headers, header + b"".join(tensors))


def ask(port: int, request: Request) -> Any:
    """One answer, from JSON.

    Raises:
        HttpLoadError: another status than 200.
        OSError: nothing listens there, or it hung up.
    """
    with closing(_connect(port, TIMEOUT_S)) as connection:
        status, content = _post(connection, request)
    if status != ANSWERED:
        raise HttpLoadError(f"POST {request.path.partition('?')[0]}: {status} {content[:300]!r}")
    return json.loads(content)


def steady(port: int, requests: Sequence[Request], clients: int, seconds: float) -> dict[str, float]:
    """So many clients for so long, each on a connection of its own, sending the next request when it is answered.

    Returns how many were answered, how many a second, and percentiles of the latency, ms.

    Raises:
        HttpLoadError: a request was not answered with 200.
        OSError: the server hung up.
    """
    times: list[float] = []
    start = perf_counter()
    end = start + seconds

    def client(first: int) -> None:
        with closing(_connect(port, TIMEOUT_S)) as connection:
            number = first
            while (sent := perf_counter()) < end:
                request = requests[number % len(requests)]
                status, content = _post(connection, request)
                if status != ANSWERED:
                    raise HttpLoadError(f"POST {request.path.partition('?')[0]}: {status} {content[:300]!r}")
                times.append(1000 * (perf_counter() - sent))
                number += clients

    gevent.joinall([gevent.spawn(client, first) for first in range(clients)], raise_error=True)
    return {"answers": len(times), "per_s": len(times) / (perf_counter() - start), **_ranks(times)}


def flood(port: int, requests: Sequence[Request], rate: float, seconds: float) -> dict[str, float]:
    """Send requests at a rate for so long, answered or not, as independent users do (Poisson).

    Returns how many a second were sent, and until the last came back answered, refused (503) and given up after
    `PATIENCE_S`; percentiles of the latency of the answered, and the 99th of the refused, ms (NaN for none).

    Raises:
        HttpLoadError: a request was answered with neither 200 nor 503.
    """
    times: dict[int, list[float]] = {ANSWERED: [], REFUSED: []}
    idle: list[Any] = []
    dice, group = Random(round(rate)), Group()

    def one(request: Request) -> None:
        connection = idle.pop() if idle else _connect(port, PATIENCE_S)
        sent = perf_counter()
        try:
            status, content = _post(connection, request)
        except OSError:
            connection.close()
            return
        if status not in times:
            raise HttpLoadError(f"POST {request.path}: {status} {content[:300]!r}")
        times[status].append(1000 * (perf_counter() - sent))
        idle.append(connection)

    start = due = perf_counter()
    sent = 0
    while due < start + seconds:
        gevent.sleep(max(0.0, due - perf_counter()))
        group.spawn(one, requests[sent % len(requests)])
        sent += 1
        due += dice.expovariate(rate)
    sending = perf_counter() - start
    group.join(raise_error=True)
    took = perf_counter() - start
    for connection in idle:
        connection.close()
    answered, refused = (len(times[status]) for status in (ANSWERED, REFUSED))
    rates = {"per_s": answered, "refused_per_s": refused, "given_up_per_s": sent - answered - refused}
    return {
        "sent_per_s": sent / sending,
        **{name: count / took for name, count in rates.items()},
        **_ranks(times[ANSWERED]),
        "refused_p99_ms": _ranks(times[REFUSED])["p99_ms"],
    }


@contextmanager
def job(port: int, requests: Sequence[Request], clients: int) -> Iterator[list[float]]:
    """As long as it lasts, so many clients that send the next request when one is answered, and a refused one again.

    Yields the latencies of the answered so far, ms; it grows.

    Raises:
        HttpLoadError: a request was answered with neither 200 nor 503.
        OSError: the server hung up.
    """
    times: list[float] = []

    def client(number: int) -> None:
        with closing(_connect(port, TIMEOUT_S)) as connection:
            while True:
                request = requests[number % len(requests)]
                sent = perf_counter()
                status, content = _post(connection, request)
                if status == ANSWERED:
                    times.append(1000 * (perf_counter() - sent))
                    number += clients
                elif status == REFUSED:
                    gevent.sleep(PAUSE_S)
                else:
                    raise HttpLoadError(f"POST {request.path}: {status} {content[:300]!r}")

    working = [gevent.spawn(client, number) for number in range(clients)]
    try:
        yield times
    finally:
        gevent.killall(working)
    for each in working:
        if each.exception is not None:
            raise each.exception


def _connect(port: int, timeout_s: float) -> Any:
    return HTTPClient("127.0.0.1", port, connection_timeout=timeout_s, network_timeout=timeout_s)


def _post(connection: Any, request: Request) -> tuple[int, bytes]:
    response = connection.post(request.path, body=request.body, headers=request.headers)
    content = bytes(response.read())
    return response.status_code, content


def _ranks(times: Sequence[float]) -> dict[str, float]:
    return {f"p{rank}_ms": float(np.percentile(times, rank)) if times else float("nan") for rank in PERCENTILES}
