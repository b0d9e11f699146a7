"""Counts and logs what the reverse proxy answered; nginx sends one JSON object for each request, by UDP.

    python -m server.edge.metrics --listen 0.0.0.0:5514 --port 8004 --front reverse-proxy:8080

- in: nginx's access log as syslog messages, in the format `request` of nginx.conf.template
- out: `/metrics` for Prometheus; each failed request of a known client as a JSON line on stdout

Neither contains inputs, tokens or query strings. Requests without a token are counted but not logged, and at most
`LINES_PER_S` lines are printed in a second, so that a flood cannot fill the disk.
"""

import argparse
import json
import re
import signal
import socket
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from server.errors import LaunchError
from server.status_server import family, serve_text

METRICS_PORT: Final = 8004
LINES_PER_S: Final = 10
CONNECT_S: Final = 2.0
DATAGRAM_BYTES: Final = 65_536
FIELDS: Final = ("client", "status", "grpc_status", "upstream")
# UNKNOWN, INTERNAL, UNAVAILABLE and DATA_LOSS, which gRPC sends with the HTTP status 200.
GRPC_FAULTS: Final = ("2", "13", "14", "15")
# The validity of a certificate in DER: two times, the second one after the first.
TIME: Final = rb"(?:\x17\x0d(\d{12}Z)|\x18\x0f(\d{14}Z))"
VALIDITY: Final = re.compile(rb"\x30[\x1e\x20\x22]" + TIME + TIME)


@dataclass
class EdgeMetrics:
    """What the reverse proxy answered so far."""

    requests: Counter[tuple[str, ...]] = field(default_factory=Counter)
    unlogged: int = 0
    _second: int = 0
    _lines: int = 0

    def note(self, datagram: bytes, now_s: float) -> str | None:
        """Count a request; returns the line to log, if any. Ignores what nginx did not send."""
        try:
            # nginx copies the bytes of a path, which need not be UTF-8.
            request = json.loads(datagram[datagram.index(b"{") :].decode(errors="replace"))
            client, status, grpc_status, upstream = (str(request[name]) for name in FIELDS)
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        self.requests[client, status, grpc_status, "triton" if upstream else "front"] += 1
        failed = status >= "400" or grpc_status not in ("", "0")
        is_fault = status >= "500" or grpc_status in GRPC_FAULTS
        return self._limited(request, is_fault, now_s) if failed and client else None

    def text(self, expiry_s: float | None) -> str:
        """The metrics in Prometheus' text format; `expiry_s` is None if the reverse proxy does not listen."""
        labels = (*FIELDS[:-1], "answered_by")
        requests = {
            ",".join(f"{name}={json.dumps(value)}" for name, value in zip(labels, key, strict=True)): count
            for key, count in sorted(self.requests.copy().items())
        }
        text = family("gender_edge_up", "gauge", "1 if the reverse proxy listens.", {"": expiry_s is not None})
        text += family("gender_edge_requests_total", "counter", "Requests by client; none without a token.", requests)
        text += family(
            "gender_edge_unlogged_total", "counter", "Failed requests over the log's limit.", {"": self.unlogged}
        )
        if expiry_s:
            name, meaning = "gender_edge_certificate_expiry_timestamp_seconds", "End of the certificate's validity."
            text += family(name, "gauge", meaning, {"": expiry_s})
        return text

    def _limited(self, request: Any, is_fault: bool, now_s: float) -> str | None:
        if int(now_s) != self._second:
            self._second, self._lines = int(now_s), 0
        self._lines += 1
        if self._lines > LINES_PER_S:
            self.unlogged += 1
            return None
        level = "error" if is_fault else "warning"
        return json.dumps({"level": level, "source": "edge", "event": "request_failed", **request})


def certificate_expiry_s(host: str, port: int) -> float | None:
    """When the certificate that a server presents expires, in Unix time.

    Returns:
        None if it does not listen, 0 if it listens without TLS.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), CONNECT_S) as connection:
            with suppress(ssl.SSLError), context.wrap_socket(connection) as tls:
                return _expiry_s(tls.getpeercert(binary_form=True) or b"")
            return 0.0
    except OSError:
        return None


def _expiry_s(certificate: bytes) -> float:
    if not (validity := VALIDITY.search(certificate)):
        return 0.0
    short, long = validity[3], validity[4]
    text = (short or long).decode()
    return datetime.strptime(text, "%y%m%d%H%M%SZ" if short else "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


@contextmanager
def running_metrics(
    listen: tuple[str, int], address: str, port: int, front: tuple[str, int], flag: str = "--port"
) -> Iterator[int]:
    """Receive nginx's log on `listen` and serve `/metrics`; yields the UDP port, which Linux chooses if it is 0.

    Args:
        listen: Where nginx sends its log, host and UDP port.
        address: The address of `/metrics`.
        port: Its port.
        front: Where nginx listens for clients.
        flag: The option that changes `port`, for the error message.

    Raises:
        LaunchError: Another process uses one of the ports.
    """
    metrics = EdgeMetrics()
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        receiver.bind(listen)
    except OSError as exc:
        raise LaunchError(f"log port {listen[1]} on {listen[0]}: {exc.strerror}; pass another one") from exc
    threading.Thread(target=_receive, args=(receiver, metrics), name="requests", daemon=True).start()
    with receiver, serve_text(partial(_respond, metrics, front), address, port, flag):
        yield receiver.getsockname()[1]


def _receive(receiver: socket.socket, metrics: EdgeMetrics) -> None:
    with suppress(OSError):  # closed
        while True:
            if line := metrics.note(receiver.recv(DATAGRAM_BYTES), time.time()):
                _log(line)


def _log(line: str) -> None:
    with suppress(OSError):  # a full disk
        print(line, flush=True)


def _respond(metrics: EdgeMetrics, front: tuple[str, int], path: str) -> tuple[int, str]:
    return (200, metrics.text(certificate_expiry_s(*front))) if path == "/metrics" else (404, "expected /metrics\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m server.edge.metrics", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--listen", type=_address, default=("127.0.0.1", 5514), metavar="HOST:PORT", help="for nginx")
    parser.add_argument("--address", default="127.0.0.1", help="address of /metrics")
    parser.add_argument("--port", type=int, default=METRICS_PORT, help="port of /metrics, %(default)s by default")
    parser.add_argument(
        "--front", type=_address, default=("127.0.0.1", 8080), metavar="HOST:PORT", help="nginx, for its certificate"
    )
    args = parser.parse_args()
    # In a container, this is the first process, which Linux does not end by a signal without a handler.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with running_metrics(args.listen, args.address, args.port, args.front):
            threading.Event().wait()
    except LaunchError as exc:
        raise SystemExit(f"metrics: {exc}") from exc
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise argparse.ArgumentTypeError(f"expected host:port, such as 127.0.0.1:5514, got {text!r}")
    return host, int(port)


if __name__ == "__main__":
    main()
