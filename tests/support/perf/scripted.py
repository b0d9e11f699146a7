"""An HTTP server whose answers the path of the request selects."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WAIT_S = 0.02


class ScriptedHandler(BaseHTTPRequestHandler):
    """Answers after `WAIT_S` with the status in the path; on /half with 200 and 503 in turn."""

    protocol_version = "HTTP/1.1"
    requests = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(WAIT_S)
        type(self).requests += 1
        status = (200, 503)[self.requests % 2] if self.path == "/half" else int(self.path.strip("/") or 200)
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        pass


class ScriptedServer(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


@contextmanager
def scripted_server() -> Iterator[str]:
    """Run the server; yields its address, host:port."""
    with ScriptedServer(("127.0.0.1", 0), ScriptedHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
