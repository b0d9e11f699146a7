"""nginx in front of Triton: as many requests at once as are answered soon are let in, the others refused at once.

    python -m server.edge.reverse_proxy                # in front of a Triton on its own ports, until Ctrl-C
    python -m server.edge.reverse_proxy --listen-http 0.0.0.0:8443 --listen-grpc 0.0.0.0:8444 \\
        --certificate front.pem --key front.key --clients clients --rate 50

Triton's queue policies could refuse too, but 2.51 stalls under them while work waits; `perf.experiments.scaling` measures this way.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

from server.edge.access_policy import BULK, IN_FLIGHT, UNLIMITED, Rules
from server.errors import LaunchError
from server.launch.flags import Endpoint
from server.launch.launcher import check_free

TEMPLATE: Final = Path(__file__).with_name("nginx.conf.template")
READY_S: Final = 5.0
POLL_S: Final = 0.02
EVERYBODY: Final = Rules()


@dataclass(frozen=True)
class Front:
    """A running nginx; the URLs are `host:port`, as a server's."""

    http_url: str
    grpc_url: str
    process: subprocess.Popen[bytes]
    log_file: Path

    def log(self) -> str:
        """What it has written so far."""
        return self.log_file.read_text(errors="replace")


@contextmanager
def running_front(
    http_url: str, grpc_url: str, listen_http: str, listen_grpc: str, rules: Rules = EVERYBODY
) -> Iterator[Front]:
    """Put nginx before the Triton at `http_url` and `grpc_url`; all four are `host:port`.

    Raises:
        LaunchError: there is no nginx, something else listens there, the rules are too lax for the addresses, or it
            does not start.
    """
    for service, address in (("HTTP", listen_http), ("gRPC", listen_grpc)):
        host, port = address.rsplit(":", 1)
        endpoint = Endpoint(service, host.strip("[]"), int(port), f"--listen-{service.lower()}")
        rules.check(endpoint)
        check_free(endpoint)
    with tempfile.TemporaryDirectory() as folder:
        config, log = Path(folder) / "nginx.conf", Path(folder) / "log"
        config.write_text(_configuration(folder, http_url, grpc_url, listen_http, listen_grpc, rules), encoding="utf-8")
        process = _start(config, log)
        try:
            _wait(process, (listen_http, listen_grpc), log)
            yield Front(listen_http, listen_grpc, process, log)
        finally:
            process.terminate()
            process.wait()


def find_nginx() -> str | None:
    """Where nginx is, None where it is not installed; Debian puts it where the PATH of many users does not go."""
    return shutil.which(
        "nginx", path=os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin:/usr/sbin"))
    )


def _configuration(folder: str, http_url: str, grpc_url: str, listen_http: str, listen_grpc: str, rules: Rules) -> str:
    tls = " ssl" if rules.certificate else ""
    return Template(TEMPLATE.read_text(encoding="utf-8")).safe_substitute(
        rules.variables(),
        FOLDER=folder,
        HTTP=http_url,
        GRPC=grpc_url,
        LISTEN_HTTP=listen_http + tls,
        LISTEN_GRPC=listen_grpc + tls,
    )


def _start(config: Path, log: Path) -> subprocess.Popen[bytes]:
    nginx = find_nginx()
    if nginx is None:
        raise LaunchError("there is no nginx; install it, on Debian with: apt-get install nginx")
    with log.open("wb") as output:
        return subprocess.Popen([nginx, "-c", str(config), "-g", "daemon off;"], stdout=output, stderr=output)


def _wait(process: subprocess.Popen[bytes], addresses: tuple[str, ...], log: Path) -> None:
    deadline = time.monotonic() + READY_S
    for address in addresses:
        while not _listens(address):
            if process.poll() is not None or time.monotonic() > deadline:
                lines = log.read_text(errors="replace").splitlines()
                raise LaunchError(f"nginx does not serve on {address}: {lines[-1] if lines else 'it says nothing'}")
            time.sleep(POLL_S)


def _listens(address: str) -> bool:
    host, port = address.rsplit(":", 1)
    with suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), timeout=1):
        return True
    return False


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no address; expected host:port, such as 127.0.0.1:8080")
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag, port, where in (("", 8000, "Triton's"), ("listen-", 8080, "where clients come")):
        for protocol, default in (("http", f"127.0.0.1:{port}"), ("grpc", f"127.0.0.1:{port + 1}")):
            parser.add_argument(f"--{flag}{protocol}", type=_address, default=default, metavar="HOST:PORT", help=where)
    parser.add_argument("--in-flight", type=int, default=IN_FLIGHT, help="requests at once")
    parser.add_argument("--bulk", type=int, default=BULK, help="of these, those of clients named bulk-…")
    parser.add_argument("--rate", type=int, default=UNLIMITED, help="requests a second of each client")
    parser.add_argument("--clients", type=Path, metavar="FILE", help="who may come in by which token; else everybody")
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="PEM, for TLS")
    parser.add_argument("--key", type=Path, metavar="FILE", help="PEM")
    args = parser.parse_args()
    # By itself SIGTERM would leave nginx behind.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    limits = {name: getattr(args, name) for name in ("in_flight", "bulk", "rate", "clients", "certificate", "key")}
    try:
        with running_front(args.http, args.grpc, args.listen_http, args.listen_grpc, Rules(**limits)) as front:
            print(f"HTTP on {front.http_url}, gRPC on {front.grpc_url}; Ctrl-C to stop", flush=True)
            sys.exit(front.process.wait())
    except LaunchError as error:
        sys.exit(f"front: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
