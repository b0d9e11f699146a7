"""Runs the reverse proxy in front of Triton until Ctrl-C.

    python -m server.edge                # loopback, in front of a Triton on its default ports
    python -m server.edge --listen-http 0.0.0.0:8443 --listen-grpc 0.0.0.0:8444 \\
        --certificate proxy.pem --key proxy.key --clients clients --rate 50
    python -m server.edge --http a:8000 b:8000 --grpc a:8001 b:8001 --status a:8003 b:8003    # two Tritons

SIGHUP reloads the token file, the certificate and the key. With --status, requests go to the Tritons whose supervisors
report them as ready. nginx's log goes to stderr; events and failed requests go to stdout as JSON lines.
"""

import argparse
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from server.edge.access_policy import BULK, IN_FLIGHT, UNLIMITED, AccessPolicy
from server.edge.metrics import METRICS_PORT
from server.edge.readiness import Triton, ready_tritons, upstream
from server.edge.reverse_proxy import ReverseProxy, running_reverse_proxy
from server.errors import LaunchError
from server.event_log import log_event
from server.launch.process import exit_on_stop_signals

LOOK_S: Final = 0.5


def main() -> None:
    """Parse the command line and run the reverse proxy."""
    args = _parser().parse_args()
    exit_on_stop_signals()
    # A reload inside the handler would be interrupted by the next signal.
    reloads: list[int] = []
    signal.signal(signal.SIGHUP, lambda number, _: reloads.append(number))
    options = ("in_flight", "bulk", "rate", "clients", "certificate", "key")
    try:
        policy = AccessPolicy(**{name: getattr(args, name) for name in options})
        tritons, listen = _tritons(args), (args.listen_http, args.listen_grpc)
        with running_reverse_proxy(*_upstreams(tritons), policy, listen, metrics_port=args.metrics_port) as proxy:
            # An exception inside Popen.wait may leave its lock taken, and the cleanup would wait for ever.
            stops: list[int] = []
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda number, _: stops.append(number))
            log_event("edge", "ready", f"HTTP on {proxy.http_url}, gRPC on {proxy.grpc_url}; Ctrl-C to stop")
            used: Sequence[Triton] = tritons
            while proxy.process.poll() is None:
                if stops:
                    sys.exit(128 + stops[0])
                _forward_log(proxy)
                if reloads:
                    reloads.clear()
                    _reload(proxy)
                used = _forward_to_ready(proxy, tritons, used)
            _forward_log(proxy)
            raise LaunchError(f"nginx ended with exit code {proxy.process.returncode}")
    except LaunchError as error:
        sys.exit(f"reverse proxy: {error}")


def _forward_log(proxy: ReverseProxy) -> None:
    """Write nginx's log of the next moment to stderr, which the service manager rotates."""
    with suppress(subprocess.TimeoutExpired):
        proxy.process.wait(LOOK_S)
    # The disk is full, or the log was deleted from the temporary folder; clients get answers all the same.
    with suppress(OSError):
        print(proxy.take_log(), end="", file=sys.stderr, flush=True)


def _tritons(args: argparse.Namespace) -> list[Triton]:
    statuses = args.status or [""] * len(args.http)
    if not len(args.http) == len(args.grpc) == len(statuses):
        counts = f"{len(args.http)}, {len(args.grpc)} and {len(args.status)}"
        raise LaunchError(f"expected as many addresses of --http, --grpc and --status, got {counts}")
    return list(map(Triton, args.http, args.grpc, statuses))


def _upstreams(tritons: Iterable[Triton]) -> tuple[str, str]:
    return upstream([each.http for each in tritons]), upstream([each.grpc for each in tritons])


def _forward_to_ready(proxy: ReverseProxy, tritons: Sequence[Triton], used: Sequence[Triton]) -> Sequence[Triton]:
    """Use the Tritons that are ready now, if there are several."""
    if len(tritons) == 1 or (ready := ready_tritons(tritons)) == used:
        return used
    names = ", ".join(each.http for each in ready)
    try:
        proxy.forward_to(*_upstreams(ready))
    except LaunchError as error:
        log_event("edge", "servers_unchanged", f"requests do not go to {names}: {error}", "error")
        return used
    log_event("edge", "servers_changed", f"requests go to {names}", "info" if ready == tritons else "error")
    return ready


def _reload(proxy: ReverseProxy) -> None:
    try:
        proxy.reload()
        log_event("edge", "reloaded", "the token file, the certificate and the key")
    except LaunchError as error:
        print(f"reverse proxy: not reloaded: {error}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m server.edge", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for number, protocol in enumerate(("http", "grpc")):
        triton, clients = f"127.0.0.1:{8000 + number}", f"127.0.0.1:{8080 + number}"
        about = f"Triton's address, or several; default {triton}"
        parser.add_argument(
            f"--{protocol}", type=_address, nargs="+", default=[triton], metavar="HOST:PORT", help=about
        )
        about = f"address for clients, default {clients}"
        parser.add_argument(f"--listen-{protocol}", type=_address, default=clients, metavar="HOST:PORT", help=about)
    about = "where the supervisors of several Tritons serve /ready, in the same order"
    parser.add_argument("--status", type=_address, nargs="+", default=[], metavar="HOST:PORT", help=about)
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
