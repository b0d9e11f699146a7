"""A live server under malformed input, and the side effects on other clients and on its memory."""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final

import grpc
import numpy as np
import psutil
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2

from genderprep.tensors import EMBEDDING
from perf.load.process_stats import pss_mb
from server.edge.reverse_proxy import ReverseProxy
from server.launch.process import Server

from .cases.valid_files import valid_files
from .isolated_worker import TIMEOUT_S, CaseResult
from .requests.grpc_requests import grpc_request
from .requests.http_requests import post

METHOD: Final = "/inference.GRPCInferenceService/ModelInfer"
SAMPLE_S: Final = 0.02
GRPC_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
UNFINISHED_POST: Final = post(b"{", {"Content-Length": 1000})
GRPC_RESULTS: Final = {
    grpc.StatusCode.INVALID_ARGUMENT: "refused",
    grpc.StatusCode.DEADLINE_EXCEEDED: "no answer",
    grpc.StatusCode.UNAVAILABLE: "no answer",
}
HTTP_RESULTS: Final = {200: "answered", 400: "refused"}
Embedding = NDArray[np.float32]


class LiveTarget:
    """Sends arbitrary bytes to a server. Results: answered, refused, another error, no answer, or hung up (HTTP)."""

    def __init__(self, http_url: str, grpc_url: str) -> None:
        options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        self._channel = grpc.insecure_channel(grpc_url, options=options)
        # Without a serializer, the bytes need not be protobuf.
        self._infer = self._channel.unary_unary(METHOD)
        self._http_address = address(http_url)

    def grpc(self, content: bytes) -> CaseResult:
        """Send the bytes of a ModelInferRequest."""
        start = perf_counter()
        try:
            self._infer(content, timeout=TIMEOUT_S)
        except grpc.RpcError as exc:
            result = GRPC_RESULTS.get(exc.code(), "another error")
            return CaseResult(result, f"{exc.code().name}: {exc.details()}", perf_counter() - start)
        return CaseResult("answered", "", perf_counter() - start)

    def http(self, content: bytes, half_close: bool = True) -> CaseResult:
        """Send the bytes of an HTTP request.

        Args:
            content: The request.
            half_close: Shut down the sending side, so that the server does not wait for the rest of an unfinished
                request. nginx takes that for a disconnect.
        """
        start = perf_counter()
        with socket.create_connection(self._http_address, timeout=TIMEOUT_S) as connection:
            try:
                with suppress(ConnectionError):
                    connection.sendall(content)
                    if half_close:
                        connection.shutdown(socket.SHUT_WR)
                response = http.client.HTTPResponse(connection, method="POST")
                response.begin()
                status, body = response.status, response.read()
            except TimeoutError:
                return CaseResult("no answer", "", perf_counter() - start)
            except (ConnectionError, http.client.HTTPException) as exc:
                return CaseResult("hung up", type(exc).__name__, perf_counter() - start)
        message = "" if status == 200 else f"{status}: {body.decode(errors='replace')}"
        return CaseResult(HTTP_RESULTS.get(status, "another error"), message, perf_counter() - start)

    def close(self) -> None:
        self._channel.close()


@contextmanager
def live_target(server: Server | ReverseProxy) -> Iterator[LiveTarget]:
    target = LiveTarget(server.http_url, server.grpc_url)
    try:
        yield target
    finally:
        target.close()


@dataclass
class SideEffects:
    """What happened to a valid request that was sent repeatedly, and to the memory of the server.

    Attributes:
        answers: Requests sent.
        wrong: Requests without an answer, or with another answer than on an idle server.
        worst_s: The longest request.
        memory_mb: The peak above the memory before.
        memory_after_mb: The memory afterwards above that before.
        messages: Errors of the requests.
    """

    answers: int = 0
    wrong: int = 0
    worst_s: float = 0.0
    memory_mb: float = 0.0
    memory_after_mb: float = 0.0
    messages: list[str] = field(default_factory=list)


@contextmanager
def side_effects(server: Server, expected: Embedding | None = None, send: bool = True) -> Iterator[SideEffects]:
    """Record the side effects of what the body does to the server.

    Args:
        server: The server under test.
        expected: The embedding that counts as correct; by default the one that the server returns before the body.
        send: Whether to send valid requests. Without, only memory is sampled, and the server may exit.
    """
    effects, stop, before_mb = SideEffects(), threading.Event(), memory_mb(server)
    threads = [threading.Thread(target=_sample_memory, args=(server, effects, before_mb, stop))]
    if send:
        expected = embedding(server) if expected is None else expected
        threads.append(threading.Thread(target=_send_valid, args=(server, effects, expected, stop)))
    for thread in threads:
        thread.start()
    try:
        yield effects
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        with suppress(psutil.Error):
            effects.memory_after_mb = round(memory_mb(server) - before_mb, 1)


def half_open_connections(server: Server, count: int) -> list[socket.socket]:
    """Open connections, half of them HTTP and half gRPC, and send the beginning of a request on each."""
    connections = []
    for number in range(count):
        url, start = ((server.http_url, UNFINISHED_POST), (server.grpc_url, GRPC_PREFACE))[number % 2]
        connection = socket.create_connection(address(url), timeout=10)
        connection.sendall(start)
        connections.append(connection)
    return connections


def address(url: str) -> tuple[str, int]:
    """Split `host:port`."""
    host, port = url.rsplit(":", 1)
    return host, int(port)


def memory_mb(server: Server) -> float:
    """Return the memory of the server and its stubs."""
    return sum(pss_mb(server.process.pid).values())


def embedding(server: Server) -> Embedding:
    """Return the embedding of a valid user, requested over a new connection as a new client would."""
    content = grpc_request(valid_files()["JPEG"], "小美".encode())
    with grpc.insecure_channel(server.grpc_url, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        infer = channel.unary_unary(METHOD, response_deserializer=service_pb2.ModelInferResponse.FromString)
        response: Any = infer(content, timeout=TIMEOUT_S)
    names = [output.name for output in response.outputs]
    return np.frombuffer(response.raw_output_contents[names.index(EMBEDDING)], np.float32)


def _send_valid(server: Server, effects: SideEffects, expected: Embedding, stop: threading.Event) -> None:
    while not stop.wait(SAMPLE_S):
        start = perf_counter()
        try:
            correct = np.allclose(embedding(server), expected, atol=1e-3)
        except grpc.RpcError as exc:
            correct = False
            effects.messages.append(f"{exc.code().name}: {exc.details()}")
        effects.answers += 1
        effects.wrong += not correct
        effects.worst_s = max(effects.worst_s, perf_counter() - start)


def _sample_memory(server: Server, effects: SideEffects, before_mb: float, stop: threading.Event) -> None:
    while not stop.wait(SAMPLE_S):
        with suppress(psutil.Error):
            effects.memory_mb = round(max(effects.memory_mb, memory_mb(server) - before_mb), 1)
