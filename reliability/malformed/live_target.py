"""Hostile input against a live server: what it answers, how long that takes, and whether it goes on answering."""

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
from perf.load.process_stats import resident_mb
from server.edge.reverse_proxy import Front
from server.launch.process import Server

from .cases.sample_per_kind import valid
from .isolated_worker import PATIENCE_S, Outcome
from .requests import post_user, user

METHOD: Final = "/inference.GRPCInferenceService/ModelInfer"
WATCH_S: Final = 0.02
HALF_GRPC: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HALF_HTTP: Final = (
    b"POST /v2/models/gender_mobilenet/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"
)


class Wire:
    """A live server as an attacker sees it."""

    def __init__(self, http_url: str, grpc_url: str) -> None:
        options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        self._channel = grpc.insecure_channel(grpc_url, options=options)
        # Bytes go out as they are: they need not be protobuf.
        self._infer = self._channel.unary_unary(METHOD)
        self._http_url = http_url

    def grpc(self, content: bytes) -> Outcome:
        """What becomes of the bytes of a ModelInferRequest."""
        start = perf_counter()
        try:
            self._infer(content, timeout=PATIENCE_S)
        except grpc.RpcError as exc:
            result = {
                grpc.StatusCode.INVALID_ARGUMENT: "refused",
                grpc.StatusCode.DEADLINE_EXCEEDED: "no answer",
                grpc.StatusCode.UNAVAILABLE: "no answer",
            }.get(exc.code(), "another error")
            return Outcome(result, f"{exc.code().name}: {exc.details()}", perf_counter() - start)
        return Outcome("answered", "", perf_counter() - start)

    def http(self, content: bytes, whole: bool = False) -> Outcome:
        """What becomes of the bytes of an HTTP request.

        Where they may not be `whole`, the client says that it has no more, lest the server waits for them; nginx takes
        that for hanging up.
        """
        start = perf_counter()
        host, port = self._http_url.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as connection:
            try:
                with suppress(ConnectionError):
                    connection.sendall(content)
                    if not whole:
                        connection.shutdown(socket.SHUT_WR)
                response = http.client.HTTPResponse(connection, method="POST")
                response.begin()
                status, body = response.status, response.read()
            except TimeoutError:
                return Outcome("no answer", "", perf_counter() - start)
            except (ConnectionError, http.client.HTTPException) as exc:
                return Outcome("hung up", type(exc).__name__, perf_counter() - start)
        result = {200: "answered", 400: "refused"}.get(status, "another error")
        message = "" if status == 200 else f"{status}: {body.decode(errors='replace')}"
        return Outcome(result, message, perf_counter() - start)

    def avatar_by_grpc(self, avatar: bytes) -> Outcome:
        return self.grpc(user(avatar, b"a").SerializeToString())

    def avatar_by_http(self, avatar: bytes) -> Outcome:
        return self.http(post_user(avatar, b"a"))

    def nickname_by_grpc(self, nickname: bytes) -> Outcome:
        return self.grpc(user(b"", nickname).SerializeToString())

    def nickname_by_http(self, nickname: bytes) -> Outcome:
        return self.http(post_user(b"", nickname))

    def close(self) -> None:
        self._channel.close()


@contextmanager
def wire_to(server: Server | Front) -> Iterator[Wire]:
    wire = Wire(server.http_url, server.grpc_url)
    try:
        yield wire
    finally:
        wire.close()


@dataclass
class Watched:
    """What somebody saw who asked for the same user all the time, and the server's memory meanwhile."""

    baseline_mb: float
    expected: NDArray[np.float32]
    answers: int = 0
    # Not answered, or not as when nobody else was there.
    wrong: int = 0
    worst_s: float = 0.0
    memory_mb: float = 0.0
    memory_after_mb: float = 0.0
    messages: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        names = ("answers", "wrong", "worst_s", "memory_mb", "memory_after_mb", "messages")
        return {name: getattr(self, name) for name in names}


@contextmanager
def watching(server: Server, asking: bool = True) -> Iterator[Watched]:
    """Ask for a good user on and on, while the body of `with` does what it wants to the server, and weigh that.

    Not `asking`: weigh only, since it may end.
    """
    expected = ask(server) if asking else np.empty(0, np.float32)
    watched, end = Watched(memory_mb(server), expected), threading.Event()
    jobs = (_ask_on, _weigh_on) if asking else (_weigh_on,)
    threads = [threading.Thread(target=job, args=(server, watched, end)) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        yield watched
    finally:
        end.set()
        for thread in threads:
            thread.join()
        with suppress(psutil.Error):
            watched.memory_after_mb = round(memory_mb(server) - watched.baseline_mb, 1)


def half_open(server: Server, count: int) -> list[socket.socket]:
    """So many connections, half of them to each service, that begin a request and say no more."""
    opened = []
    for number in range(count):
        url, start = ((server.http_url, HALF_HTTP), (server.grpc_url, HALF_GRPC))[number % 2]
        host, port = url.rsplit(":", 1)
        connection = socket.create_connection((host, int(port)), timeout=10)
        connection.sendall(start)
        opened.append(connection)
    return opened


def memory_mb(server: Server) -> float:
    """Memory of the server and its stubs together."""
    return sum(resident_mb(server.process.pid).values())


def ask(server: Server) -> NDArray[np.float32]:
    """The embedding of a good user, over a new connection, as somebody has it who comes for the first time."""
    content = user(valid()["JPEG"], "小美".encode()).SerializeToString()
    with grpc.insecure_channel(server.grpc_url, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        infer = channel.unary_unary(METHOD, response_deserializer=service_pb2.ModelInferResponse.FromString)
        answer: Any = infer(content, timeout=PATIENCE_S)
    names = [output.name for output in answer.outputs]
    return np.frombuffer(answer.raw_output_contents[names.index(EMBEDDING)], np.float32)


def _ask_on(server: Server, watched: Watched, end: threading.Event) -> None:
    while not end.wait(WATCH_S):
        start = perf_counter()
        try:
            right = np.allclose(ask(server), watched.expected, atol=1e-3)
        except grpc.RpcError as exc:
            right = False
            watched.messages.append(f"{exc.code().name}: {exc.details()}")
        watched.answers += 1
        watched.wrong += not right
        watched.worst_s = max(watched.worst_s, perf_counter() - start)


def _weigh_on(server: Server, watched: Watched, end: threading.Event) -> None:
    while not end.wait(WATCH_S):
        with suppress(psutil.Error):
            watched.memory_mb = round(max(watched.memory_mb, memory_mb(server) - watched.baseline_mb), 1)
