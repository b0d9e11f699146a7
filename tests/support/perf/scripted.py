"""A server that answers as it is told by the path."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WAIT_S = 0.02


class Scripted(BaseHTTPRequestHandler):
    """Answers with the status that the path names, after `WAIT_S`; every second time refuses on /half."""

    protocol_version = "HTTP/1.1"
    asked = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(WAIT_S)
        type(self).asked += 1
        status = (200, 503)[self.asked % 2] if self.path == "/half" else int(self.path.strip("/") or 200)
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        pass


class Scripts(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


@contextmanager
def scripted_server() -> Iterator[int]:
    """Its port, as long as it lasts."""
    with Scripts(("127.0.0.1", 0), Scripted) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()
