"""What the supervisor tells others over HTTP: `/ready` for load balancers, `/live`, and `/metrics` for Prometheus."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from server.errors import LaunchError

from .policy import Canary, Verdict

STATUS_PORT: Final = 8003
HELP: Final = {
    "ready": ("gauge", "1 where every ensemble answered its last canary and no model lacks a stub."),
    "canary_ok": ("gauge", "1 where this ensemble answered its last canary."),
    "canary_seconds": ("gauge", "How long this ensemble's last canary took."),
    "server_restarts_total": ("counter", "Servers that were ended and replaced."),
    "model_revivals_total": ("counter", "Times that this model was loaded anew."),
}


@dataclass
class Status:
    """The last that is known; written by the supervisor alone, read by whoever asks."""

    ready: bool = False
    canaries: Mapping[str, Canary] = field(default_factory=dict)
    restarts: int = 0
    revivals: Counter[str] = field(default_factory=Counter)

    def metrics(self) -> str:
        """In Prometheus' text format."""
        samples: dict[str, list[tuple[str, float]]] = {
            "ready": [("", self.ready)],
            "canary_ok": [(_label(name), each.verdict is Verdict.ANSWERED) for name, each in self.canaries.items()],
            "canary_seconds": [(_label(name), each.seconds) for name, each in self.canaries.items()],
            "server_restarts_total": [("", self.restarts)],
            "model_revivals_total": [(_label(name), count) for name, count in sorted(self.revivals.copy().items())],
        }
        lines = []
        for name, (kind, meaning) in HELP.items():
            lines += [f"# HELP gender_{name} {meaning}", f"# TYPE gender_{name} {kind}"]
            lines += [f"gender_{name}{label} {float(value):g}" for label, value in samples[name]]
        return "\n".join(lines) + "\n"


def _label(model: str) -> str:
    return f'{{model="{model}"}}'


@contextmanager
def serving(status: Status, address: str, port: int) -> Iterator[int]:
    """Answer for `status` at that address; yields the port, which Linux chooses where it is 0.

    Raises:
        LaunchError: something else listens there.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, text = _answer(status, self.path)
            body = text.encode()
            self.send_response(code)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Probes come every second."""

    try:
        server = ThreadingHTTPServer((address, port), Handler)
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


def _answer(status: Status, path: str) -> tuple[int, str]:
    match path.partition("?")[0]:
        case "/ready":
            return (200, "ready\n") if status.ready else (503, "not ready\n")
        case "/live":
            return 200, "live\n"
        case "/metrics":
            return 200, status.metrics()
        case _:
            return 404, "expected /ready, /live or /metrics\n"
