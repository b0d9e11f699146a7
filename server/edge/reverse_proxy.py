"""Runs nginx as the reverse proxy in front of Triton.

nginx admits as many concurrent requests as Triton answers promptly and rejects the rest at once with 503. Triton's own
queue policies could reject them too, but Triton 2.51 stalls under these policies while requests wait.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from string import Template
from typing import Any, Final

from server.edge.access_policy import AccessPolicy
from server.edge.metrics import running_metrics
from server.errors import LaunchError
from server.launch.endpoints import Endpoint
from server.launch.process import end, free_ports, signals_blocked, spawn

TEMPLATE: Final = Path(__file__).with_name("nginx.conf.template")
# The path of Debian and of nginx's official image.
NJS: Final = Path("/usr/lib/nginx/modules/ngx_http_js_module.so")
# Of a single server: the deadlines of clients are shorter.
READ_TIMEOUT: Final = "60s"
READY_S: Final = 5.0
LOG: Final = ("127.0.0.1", 0)  # Linux chooses the port
POLL_S: Final = 0.02
OPEN_ACCESS: Final = AccessPolicy()


@dataclass(frozen=True)
class ReverseProxy:
    """A running nginx. The URLs are `host:port`."""

    http_url: str
    grpc_url: str
    process: subprocess.Popen[bytes]
    log_file: Path
    policy: AccessPolicy
    template: str
    variables: Mapping[str, str]

    def log(self) -> str:
        """Return what nginx has logged so far."""
        return self.log_file.read_text(errors="replace")

    def take_log(self) -> str:
        """Return what nginx has logged since the last call, and delete it. The file does not grow without limit."""
        with self.log_file.open("r+", errors="replace") as file:
            text = file.read()
            file.truncate(0)
        return text

    def forward_to(self, http_urls: str, grpc_urls: str) -> None:
        """Forward new requests to these servers, as in `running_reverse_proxy`; requests in flight finish.

        Raises:
            LaunchError: nginx rejects them, and keeps the previous ones.
        """
        with _writing(self.log_file.parent) as folder:
            _write_config(folder, self.template, {**self.variables, "HTTP": http_urls, "GRPC": grpc_urls})
        # With the files of the last reload: a malformed one must not keep requests at a Triton that is down.
        self._apply()

    def reload(self) -> None:
        """Apply the present token file, certificate and key. Requests in flight finish.

        Raises:
            LaunchError: A file is missing or malformed, and nginx keeps the previous ones.
        """
        with _writing(self.log_file.parent) as folder:
            _copy_files(self.policy, folder)
        self._apply()

    def _apply(self) -> None:
        """Make nginx read its configuration again, unless it rejects it."""
        command = _command(self.log_file.parent / "nginx.conf", "-t", "-q")
        test = subprocess.run(command, capture_output=True, text=True, errors="replace")
        if test.returncode:
            raise LaunchError(f"nginx rejects the new files: {_last_line(test.stderr)}")
        self.process.send_signal(signal.SIGHUP)


@contextmanager
def running_reverse_proxy(
    http_url: str,
    grpc_url: str,
    policy: AccessPolicy = OPEN_ACCESS,
    listen: tuple[str, str] | None = None,
    template: Path = TEMPLATE,
    metrics_port: int | None = None,
) -> Iterator[ReverseProxy]:
    """Run nginx in front of a Triton until the context exits.

    Args:
        http_url: Triton's HTTP address, `host:port`; several as `host:port; server host:port`.
        grpc_url: Triton's gRPC address, likewise.
        policy: Which clients are admitted; all by default.
        listen: The HTTP and gRPC addresses for clients; free loopback ports by default.
        template: nginx's configuration, with the variables of `TEMPLATE`.
        metrics_port: The loopback port of `server.edge.metrics`; by default, requests are neither counted nor logged.

    Raises:
        LaunchError: nginx is not installed or does not start, a port is in use, or other machines can reach an
            address and the policy lacks tokens or TLS.
    """
    listen_http, listen_grpc = listen or (f"127.0.0.1:{port}" for port in free_ports(2))
    addresses = {"HTTP": listen_http, "gRPC": listen_grpc}
    for service, address in addresses.items():
        endpoint = Endpoint(service, *_split(address), f"--listen-{service.lower()}")
        policy.check(endpoint)
        endpoint.check_free()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        log = Path(folder) / "log"
        tls = " ssl" if policy.certificate else ""
        copied = _copy_files(policy, Path(folder))
        variables = {"SCRIPTS": str(TEMPLATE.parent), "FOLDER": folder, "HTTP": http_url, "GRPC": grpc_url}
        variables |= {"READ_TIMEOUT": READ_TIMEOUT, **copied.variables()}
        variables["LOG"] = "off"
        if metrics_port is not None:
            running = running_metrics(LOG, "127.0.0.1", metrics_port, _split(listen_http), "--metrics-port")
            variables["LOG"] = f"syslog:server={LOG[0]}:{stack.enter_context(running)},nohostname request"
        variables |= {f"LISTEN_{service.upper()}": address + tls for service, address in addresses.items()}
        text = template.read_text(encoding="utf-8")
        config = _write_config(Path(folder), text, variables)
        with signals_blocked():
            process = _start(config, log)
            # Ends the workers too, if the master was killed.
            stack.callback(end, process)
        for address in addresses.values():
            _wait_until_listening(process, address, log)
        yield ReverseProxy(listen_http, listen_grpc, process, log, policy, text, variables)


def find_nginx() -> str | None:
    """Return the path of nginx, or None if it or its module njs is not installed."""
    # Debian installs it into /usr/sbin, which is not on every user's PATH.
    folders = (os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin")
    return shutil.which("nginx", path=os.pathsep.join(folders)) if NJS.exists() else None


@contextmanager
def _writing(folder: Path) -> Iterator[Path]:
    """Raise LaunchError if the disk is full, or if the folder was deleted."""
    try:
        yield folder
    except OSError as exc:
        raise LaunchError(f"cannot write to {folder} ({exc.strerror}); restart the reverse proxy") from exc


def _write_config(folder: Path, template: str, variables: Mapping[str, str]) -> Path:
    """Write nginx's configuration; a reload never reads half of it."""
    draft, file = folder / "nginx.conf.draft", folder / "nginx.conf"
    draft.write_text(Template(template).safe_substitute(variables), encoding="utf-8")
    return draft.replace(file)


def _start(config: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        # SIGKILL would leave nginx's workers running.
        return spawn(_command(config, "-g", "daemon off;"), output, os.environ, death_signal=signal.SIGTERM)


def _command(config: Path, *options: str) -> list[str]:
    nginx = find_nginx()
    if nginx is None:
        raise LaunchError(
            "nginx or its module njs is not installed; on Debian, run: apt-get install nginx libnginx-mod-http-js"
        )
    return [nginx, "-c", str(config), *options]


def _copy_files(policy: AccessPolicy, folder: Path) -> AccessPolicy:
    """Copy the policy's files for nginx, which reads them again whenever Tritons come and go.

    nginx would also quote a malformed line of the token file, and thus a token, in its log.

    Returns:
        The policy with the checked copies.
    """
    policy = replace(policy)  # checks the files again
    drafts: dict[str, Any] = {
        name: Path(shutil.copyfile(file, folder / f"{name}.draft")) for name, file in policy.files.items()
    }
    replace(policy, **drafts)
    copies = {name: draft.replace(folder / name) for name, draft in drafts.items()}
    return replace(policy, **copies)


def _wait_until_listening(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while not _accepts_connections(address):
        if process.poll() is not None or time.monotonic() > deadline:
            raise LaunchError(f"nginx does not listen on {address}: {_last_line(log.read_text(errors='replace'))}")
        time.sleep(POLL_S)


def _last_line(log: str) -> str:
    return next(reversed(log.splitlines()), "its log is empty")


def _accepts_connections(address: str) -> bool:
    with suppress(OSError), socket.create_connection(_split(address), timeout=1):
        return True
    return False


def _split(address: str) -> tuple[str, int]:
    host, port = address.rsplit(":", 1)
    return host.strip("[]"), int(port)
