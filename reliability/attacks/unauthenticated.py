"""Floods without a token, and what they leave in memory and on disk."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from time import perf_counter
from typing import Any, Final

from genderclient import Client, GenderClientError, Retry
from perf.load.process_stats import pss_mb, sampled
from server.edge.reverse_proxy import ReverseProxy
from server.launch.process import Server

from ..malformed.live_target import address
from ..malformed.requests.http_requests import PATH
from ..malformed.side_effects import memory_mb
from .http2_frames import GRPC_HEALTH, PINGS, RESETS, endless_header, grpc_request, pings, reset_streams

Row = dict[str, Any]
HEALTH: Final = "/v2/health/ready"
GRPC_INFERENCE: Final = "/inference.GRPCInferenceService/ModelInfer"
BODY: Final = 12 * 2**20
PIECE: Final = bytes(2**16)
CONNECTIONS: Final = 64
TIMEOUT_S: Final = 2.0
# Of a prediction during a flood, which takes the other core.
VALID_S: Final = 5.0
# The rate limit of nginx.conf.template, with bursts of one second's worth. nginx and Triton log one line each.
HEALTH_PER_S: Final = 20
LINES_EACH: Final = 2
SAMPLE_S: Final = 0.04
# What one stream may send before the server enlarges its window.
WINDOW: Final = 65_535
Attack = Callable[[ReverseProxy], bytes]


def attacks() -> dict[str, Attack]:
    """Return requests without a token. Each returns the beginning of the response."""
    large, chunked = f"Content-Length: {BODY}\r\n", "Transfer-Encoding: chunked\r\n"
    return {
        "inference": partial(_http, "POST", PATH, "Content-Length: 2\r\n", 2),
        "inference of 12 MiB": partial(_http, "POST", PATH, large, BODY),
        "health": partial(_http, "GET", HEALTH, "", 0),
        "health with 12 MiB": partial(_http, "GET", HEALTH, large, BODY),
        "health with endless chunks": partial(_http, "GET", HEALTH, chunked, BODY),
        "health with a newline": partial(_http, "GET", f"{HEALTH}%0a", "", 0),
        "health by M-SEARCH": partial(_http, "M-SEARCH", HEALTH, "", 0),
        "gRPC inference": partial(_http2, grpc_request(GRPC_INFERENCE, {}, WINDOW)),
        "gRPC health with a body": partial(_http2, grpc_request(GRPC_HEALTH, {}, WINDOW)),
        "gRPC health with a malformed header": partial(_http2, grpc_request(GRPC_HEALTH, {"grpc-timeout": "soon"}, 5)),
        f"{RESETS} gRPC health checks, canceled": partial(_http2, reset_streams()),
        "gRPC health with an endless header": partial(_http2, endless_header()),
        f"{PINGS:,} pings over HTTP/2": partial(_http2, pings()),
    }


def flood(server: Server, proxy: ReverseProxy, token: str, name: str, attack: Attack, count: int) -> Row:
    """Send `count` requests from concurrent connections, while a client with a token predicts.

    Returns the memory and disk space that they took, how many predictions ended meanwhile, and how many failed.
    """

    def send(_: int) -> bool:
        with suppress(OSError):
            return bool(attack(proxy))
        return False

    start, before_mb, before_lines = perf_counter(), _memory_mb(server, proxy), _log_lines(server, proxy)
    crashed = crashes(proxy)
    with (
        Client(f"http://{proxy.http_url}", token=token, retry=Retry(attempts=1), timeout_s=VALID_S) as client,
        sampled(lambda: _memory_mb(server, proxy), SAMPLE_S) as memory,
        sampled(lambda: _is_served(client), SAMPLE_S) as served,
        ThreadPoolExecutor(CONNECTIONS) as pool,
    ):
        answered = sum(pool.map(send, range(count)))
    return {
        "attack": name,
        "requests": count,
        "answered": answered,
        "memory_mb": round(max(memory) - before_mb, 1),
        "seconds": perf_counter() - start,
        "log_lines": _log_lines(server, proxy) - before_lines,
        # Without the first, before the flood, and the last, after it.
        "valid": len(served) - 2,
        "valid_failed": served.count(False),
        "died": server.process.poll() is not None or crashes(proxy) > crashed,
    }


def flood_all(server: Server, proxy: ReverseProxy, token: str, count: int) -> Iterator[Row]:
    for name, attack in attacks().items():
        yield flood(server, proxy, token, name, attack, count)


def most_log_lines(seconds: float) -> float:
    """Return how many lines health checks may leave, the only requests without a token that Triton receives."""
    return LINES_EACH * HEALTH_PER_S * (1 + seconds)


def _http(method: str, path: str, header: str, size: int, proxy: ReverseProxy) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n".encode()
    with socket.create_connection(address(proxy.http_url), TIMEOUT_S) as connection:
        with suppress(ConnectionError, TimeoutError):  # the server may answer and close at once
            connection.sendall(head)
            for _ in range(0, size, len(PIECE)):
                connection.sendall(b"10000\r\n" + PIECE + b"\r\n" if "chunked" in header else PIECE[:size])
        return connection.recv(100)


def _http2(frames: bytes, proxy: ReverseProxy) -> bytes:
    with socket.create_connection(address(proxy.grpc_url), TIMEOUT_S) as connection:
        with suppress(ConnectionError, TimeoutError):
            connection.sendall(frames)
        return connection.recv(100)


def _is_served(client: Client) -> bool:
    with suppress(GenderClientError):
        return bool(client.predict(nickname="小美"))
    return False


def crashes(proxy: ReverseProxy) -> int:
    """Return how many workers of nginx have crashed; nginx replaces them."""
    return proxy.log().count("exited on signal")


def _memory_mb(server: Server, proxy: ReverseProxy) -> float:
    return memory_mb(server) + sum(pss_mb(proxy.process.pid).values())


def _log_lines(server: Server, proxy: ReverseProxy) -> int:
    return server.log().count("\n") + proxy.log().count("\n")
