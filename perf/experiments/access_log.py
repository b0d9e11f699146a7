"""What the log of the reverse proxy's requests costs."""

import http.client
import os
import re
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from time import perf_counter, sleep
from typing import Any, ClassVar, Final

from server.edge.reverse_proxy import TEMPLATE, running_reverse_proxy
from server.launch.process import end, free_ports, spawn

from ..load.process_stats import cpu_seconds
from ..report.experiment import Goal, Measurement
from ..report.rounds import RoundsExperiment, Row, rotated

MAX_MS: Final = 0.1
DIRECTIVE: Final = "access_log ${LOG};"
LOGGED, NOT_LOGGED = "logged", "not logged"
COUNT: Final = re.compile(r"^gender_edge_requests_total\{.*\} (\d+)$", re.MULTILINE)
# No Triton listens there: nginx answers these requests itself.
NOWHERE: Final = "127.0.0.1:1"


class AccessLog(RoundsExperiment):
    """Measure the CPU of requests that nginx answers itself, with its log and without. Needs nginx."""

    name = "access_log"
    title = "Log of requests"
    arm = ("arm",)
    about = """\
nginx sends one UDP datagram for each request to `server.edge.metrics`, which counts it and logs failures. Two reverse
proxies take turns, one without this log; one client requests a route that they reject, so that nothing else is
measured. The CPU is that of nginx and of `server.edge.metrics`; an inference takes milliseconds of it. Values are
medians of the rounds."""
    columns: ClassVar = {
        "requests": "{arm}",
        "per second": "{per_s:.0f}",
        "nginx's CPU ms per request": "{nginx_ms:.3f}",
        "CPU ms of server.edge.metrics": "{receiver_ms:.3f}",
        "datagrams lost": "{lost:.1%}",
    }

    def measure_rounds(self, args: Any) -> Iterator[Row]:
        with ExitStack() as stack:
            port, metrics_port, receiver = stack.enter_context(_running_receiver())
            template = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "nginx.conf.template"
            log = f"access_log syslog:server=127.0.0.1:{port},nohostname request;"
            template.write_text(TEMPLATE.read_text(encoding="utf-8").replace(DIRECTIVE, log), encoding="utf-8")
            proxies = {
                name: stack.enter_context(running_reverse_proxy(NOWHERE, NOWHERE, template=file))
                for name, file in ((NOT_LOGGED, TEMPLATE), (LOGGED, template))
            }
            for number in range(args.rounds):
                for name in rotated(proxies, number):
                    processes, counted = (proxies[name].process.pid, receiver), _counted(metrics_port)
                    before_s = [*map(cpu_seconds, processes)]
                    answers = _request_for(proxies[name].http_url, args.seconds)
                    nginx_ms, receiver_ms = (
                        1000 * (cpu_seconds(pid) - before) / answers
                        for pid, before in zip(processes, before_s, strict=True)
                    )
                    lost = 1 - (_counted(metrics_port) - counted) / answers if name == LOGGED else 0.0
                    figures = {"per_s": answers / args.seconds, "nginx_ms": nginx_ms, "receiver_ms": receiver_ms}
                    yield {"round": number, "arm": name, **figures, "lost": lost}

    def goals(self, measurement: Measurement) -> Iterator[Goal]:
        arms = self.summarize(measurement.rows).set_index("arm")
        cpu_ms = arms["nginx_ms"] + arms["receiver_ms"]
        extra_ms = cpu_ms[LOGGED] - cpu_ms[NOT_LOGGED]
        yield Goal(f"the log takes at most {MAX_MS} ms of CPU per request", f"{extra_ms:.3f} ms", extra_ms <= MAX_MS)


def _request_for(url: str, seconds: float) -> int:
    """Send requests one after the other on one connection; returns how many were answered."""
    deadline_s, answers = perf_counter() + seconds, 0
    with closing(http.client.HTTPConnection(url, timeout=30)) as connection:
        while perf_counter() < deadline_s:
            connection.request("GET", "/")
            connection.getresponse().read()
            answers += 1
    return answers


def _counted(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        return sum(map(int, COUNT.findall(response.read().decode())))


@contextmanager
def _running_receiver() -> Iterator[tuple[int, int, int]]:
    """Run `server.edge.metrics`; yields its UDP port, the port of its metrics and its process id."""
    port, metrics_port = free_ports(2)
    command = [sys.executable, "-m", "server.edge.metrics", f"--listen=127.0.0.1:{port}", f"--port={metrics_port}"]
    with Path(os.devnull).open("wb") as log:
        process = spawn(command, log, os.environ)
    try:
        _wait_until_listening(metrics_port)
        yield port, metrics_port, process.pid
    finally:
        end(process)


def _wait_until_listening(port: int) -> None:
    deadline_s = perf_counter() + 30
    while True:
        try:
            _counted(port)
            return
        except OSError:
            if perf_counter() > deadline_s:
                raise
            sleep(0.05)
