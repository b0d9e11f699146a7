"""A receiver of traces in OTLP over HTTP with JSON, as Triton exports them."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Span = dict[str, Any]

PATH = "/v1/traces"


class Receiver:
    """Holds all exports so far; `url` is the export address."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}{PATH}"
        self._exports: list[bytes] = []

    def add(self, export: bytes) -> None:
        self._exports.append(export)

    def raw(self) -> bytes:
        return b"".join(self._exports)

    def spans(self, trace_id: str) -> list[Span]:
        """The spans of a trace by its hexadecimal id."""
        return [span for span in self._all() if span["traceId"] == trace_id]

    def wait_for(self, trace_id: str, names: set[str], timeout_s: float = 20) -> list[Span]:
        """Wait for spans of these names in a trace; after the timeout return those that arrived."""
        deadline = time.monotonic() + timeout_s
        while not names <= {span["name"] for span in self.spans(trace_id)} and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.spans(trace_id)

    def _all(self) -> Iterator[Span]:
        for export in list(self._exports):
            for resource in json.loads(export)["resourceSpans"]:
                for scope in resource["scopeSpans"]:
                    yield from scope["spans"]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Listen on a free loopback port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == PATH
            receiver.add(content)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
