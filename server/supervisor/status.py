"""Serves the supervisor's status over HTTP: `/ready` for load balancers, `/live`, and `/metrics` for Prometheus."""

import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from server.errors import LaunchError

from .snapshot import CanaryResult, Verdict

STATUS_PORT: Final = 8003
MAX_CONNECTIONS: Final = 32
TIMEOUT_S: Final = 5.0


@dataclass
class SupervisorStatus:
    """The latest state; the supervisor writes it, HTTP handlers read it."""

    ready: bool = False
    canaries: Mapping[str, CanaryResult] = field(default_factory=dict)
    set_aside: frozenset[str] = frozenset()
    restarts: int = 0
    reloads: Counter[str] = field(default_factory=Counter)

    def metrics(self) -> str:
        """The status in Prometheus' text format."""
        answered = {name: each.verdict is Verdict.ANSWERED for name, each in self.canaries.items()}
        seconds = {name: each.seconds for name, each in self.canaries.items()}
        set_aside = dict.fromkeys(sorted(self.set_aside), 1)
        reloads = dict(sorted(self.reloads.copy().items()))
        return (
            _family("ready", "gauge", "1 if every ensemble answers and no model lacks a stub.", {"": self.ready})
            + _family("canary_ok", "gauge", "1 if the ensemble answered its last canary.", answered)
            + _family("canary_seconds", "gauge", "Duration of the ensemble's last canary.", seconds)
            + _family("model_set_aside", "gauge", "1 if the model is broken while other ensembles answer.", set_aside)
            + _family("server_restarts_total", "counter", "Servers that were replaced.", {"": self.restarts})
            + _family("model_revivals_total", "counter", "Times the model was reloaded.", reloads)
        )


def _family(name: str, kind: str, meaning: str, samples: Mapping[str, float]) -> str:
    """One metric with its samples by model; the model is empty if the metric is the server's."""
    lines = [f"# HELP gender_{name} {meaning}", f"# TYPE gender_{name} {kind}"]
    for model, value in samples.items():
        label = f'{{model="{model}"}}' if model else ""
        lines.append(f"gender_{name}{label} {float(value):g}")
    return "\n".join(lines) + "\n"


class _StatusServer(ThreadingHTTPServer):
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
            for oldest in self._connections[: len(self._connections) - MAX_CONNECTIONS + 1]:
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
def serve_status(status: SupervisorStatus, address: str, port: int) -> Iterator[int]:
    """Serve `status` over HTTP; yields the port, which Linux chooses if `port` is 0.

    Raises:
        LaunchError: Another process listens there.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = TIMEOUT_S

        def do_GET(self) -> None:
            code, text = _respond(status, self.path)
            body = text.encode()
            self.send_response(code)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing: probes arrive every second."""

    try:
        server = _StatusServer((address, port), Handler)
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise LaunchError(f"status port {port} on {address}: {reason}; pass --status-port=<free port>") from exc
    thread = threading.Thread(target=server.serve_forever, name="status", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def _respond(status: SupervisorStatus, path: str) -> tuple[int, str]:
    match path.partition("?")[0]:
        case "/ready":
            return (200, "ready\n") if status.ready else (503, "not ready\n")
        case "/live":
            return 200, "live\n"
        case "/metrics":
            return 200, status.metrics()
        case _:
            return 404, "expected /ready, /live or /metrics\n"
