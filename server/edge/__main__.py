"""Runs the reverse proxy in front of Triton until Ctrl-C.

    python -m server.edge                # loopback, in front of a Triton on its default ports
    python -m server.edge --listen-http 0.0.0.0:8443 --listen-grpc 0.0.0.0:8444 \\
        --certificate proxy.pem --key proxy.key --clients clients --rate 50

SIGHUP reloads the token file, the certificate and the key. nginx's log goes to stderr; failed requests go to stdout as
JSON lines.
"""

import argparse
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from server.edge.access_policy import BULK, IN_FLIGHT, UNLIMITED, AccessPolicy
from server.edge.metrics import METRICS_PORT
from server.edge.reverse_proxy import ReverseProxy, running_reverse_proxy
from server.errors import LaunchError

LOG_S: Final = 1.0


def main() -> None:
    """Parse the command line and run the reverse proxy."""
    args = _parser().parse_args()
    # The default actions of these signals would leave nginx running.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    signal.signal(signal.SIGHUP, lambda number, _: None)
    options = ("in_flight", "bulk", "rate", "clients", "certificate", "key")
    try:
        policy = AccessPolicy(**{name: getattr(args, name) for name in options})
        listen = args.listen_http, args.listen_grpc
        with running_reverse_proxy(args.http, args.grpc, policy, listen, metrics_port=args.metrics_port) as proxy:
            signal.signal(signal.SIGHUP, lambda number, _: _reload(proxy))
            print(f"HTTP on {proxy.http_url}, gRPC on {proxy.grpc_url}; Ctrl-C to stop", flush=True)
            while proxy.process.poll() is None:
                _forward_log(proxy)
            _forward_log(proxy)
            raise LaunchError(f"nginx ended with exit code {proxy.process.returncode}")
    except LaunchError as error:
        sys.exit(f"reverse proxy: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _forward_log(proxy: ReverseProxy) -> None:
    """Write nginx's log of the next second to stderr, which the service manager rotates."""
    with suppress(subprocess.TimeoutExpired):
        proxy.process.wait(LOG_S)
    print(proxy.take_log(), end="", file=sys.stderr, flush=True)


def _reload(proxy: ReverseProxy) -> None:
    try:
        proxy.reload()
        print("reloaded", flush=True)
    except LaunchError as error:
        print(f"reverse proxy: not reloaded: {error}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m server.edge", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for prefix, port, where in (("", 8000, "Triton's address"), ("listen-", 8080, "address for clients")):
        for protocol, default in (("http", f"127.0.0.1:{port}"), ("grpc", f"127.0.0.1:{port + 1}")):
            flag, about = f"--{prefix}{protocol}", f"{where}, default {default}"
            parser.add_argument(flag, type=_address, default=default, metavar="HOST:PORT", help=about)
    parser.add_argument("--in-flight", type=int, default=IN_FLIGHT, help="concurrent requests")
    parser.add_argument("--bulk", type=int, default=BULK, help="concurrent requests of clients named bulk-…")
    parser.add_argument("--rate", type=int, default=UNLIMITED, help="requests per second of each client")
    parser.add_argument("--clients", type=Path, metavar="FILE", help="client tokens; without it, none is required")
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="TLS certificate (PEM)")
    parser.add_argument("--metrics-port", type=int, default=METRICS_PORT, help="loopback port of /metrics")
    parser.add_argument("--key", type=Path, metavar="FILE", help="private key of the certificate (PEM)")
    return parser


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise argparse.ArgumentTypeError(f"expected host:port, such as 127.0.0.1:8080, got {text!r}")
    return text


if __name__ == "__main__":
    main()
