"""A small HTTP server for probes and Prometheus, and Prometheus' text format."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from server.errors import LaunchError

MAX_CONNECTIONS: Final = 32
TIMEOUT_S: Final = 5.0
# Turns a path into a status code and a text.
Respond = Callable[[str], tuple[int, str]]


def family(name: str, kind: str, meaning: str, samples: Mapping[str, float]) -> str:
    """Return one metric with its samples by labels, such as `model="net"`; a metric without labels has the key ""."""
    lines = [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
    lines += [f"{name}{f'{{{labels}}}' if labels else ''} {float(value):.15g}" for labels, value in samples.items()]
    return "\n".join(lines) + "\n"


class _Server(ThreadingHTTPServer):
    """Closes the oldest connection for a new one beyond `MAX_CONNECTIONS`.

    Idle connections therefore neither use up this process' files nor lock out a probe, which takes milliseconds.
    """

    request_queue_size = 128
    block_on_close = False

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._connections: list[socket.socket] = []
        self._changed = threading.Condition()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            for oldest in self._connections[: max(0, len(self._connections) - MAX_CONNECTIONS + 1)]:
                with suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)
            # Its thread wakes up and closes it.
            self._changed.wait_for(lambda: len(self._connections) < MAX_CONNECTIONS, TIMEOUT_S)
            self._connections.append(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._changed:
            self._connections.remove(request)
            self._changed.notify()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing: the client closed the connection."""


@contextmanager
def serve_text(respond: Respond, address: str, port: int, flag: str) -> Iterator[int]:
    """Answer GET by what `respond` returns; yields the port, which Linux chooses if `port` is 0.

    Raises:
        LaunchError: Another process listens there, or there is no such port; the message names `flag`, which changes
            the port.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = TIMEOUT_S

        def do_GET(self) -> None:
            code, text = respond(self.path.partition("?")[0])
            body = text.encode()
            self.send_response(code)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing: probes arrive every second."""

    try:
        server = _Server((address, port), Handler)
    except (OSError, OverflowError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc).rstrip(".")
        raise LaunchError(f"status port {port} on {address}: {reason}; pass {flag}=<free port>") from exc
    thread = threading.Thread(target=server.serve_forever, name="status", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
