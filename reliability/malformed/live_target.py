"""Sends arbitrary bytes to a live server."""

import http.client
import socket
from contextlib import suppress
from time import perf_counter
from typing import Final

import grpc

from server.launch.process import Server

from .isolated_worker import TIMEOUT_S, CaseResult
from .requests.http_requests import post

METHOD: Final = "/inference.GRPCInferenceService/ModelInfer"
GRPC_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
UNFINISHED_POST: Final = post(b"{", {"Content-Length": 1000})
GRPC_RESULTS: Final = {
    grpc.StatusCode.INVALID_ARGUMENT: "refused",
    grpc.StatusCode.DEADLINE_EXCEEDED: "no answer",
    grpc.StatusCode.UNAVAILABLE: "no answer",
}
HTTP_RESULTS: Final = {200: "answered", 400: "refused"}


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
                    with suppress(OSError):  # not connected: the server has reset the connection
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
