"""What the log of the reverse proxy's requests costs."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Final

from server.edge.reverse_proxy import TEMPLATE, running_reverse_proxy
from server.launch.process import end, free_ports, running_triton, spawn

from ..load.http_client_load import closed_loop, triton_request
from ..load.process_stats import cpu_seconds
from ..load.served import REPOSITORY, gender_ensembles
from ..load.workload import synthetic_users
from ..report.experiment import Goal, Measurement
from ..report.rounds import RoundsExperiment, Row, compare

MAX_MS: Final = 0.1
MIN_KEPT: Final = 0.97
DIRECTIVE: Final = "access_log ${LOG};"
LOGGED, NOT_LOGGED = "logged", "not logged"


class AccessLog(RoundsExperiment):
    """Measure inferences over HTTP through the reverse proxy, with its log and without. Needs nginx."""

    name = "access_log"
    title = "Log of requests"
    clients = (1, 8)
    arm = ("model", "clients", "arm")
    about = """\
nginx sends one UDP datagram for each request to `server.edge.metrics`, which counts it and logs failures. Two reverse
proxies in front of one Triton take turns, one without this log. Values are medians of the rounds; the CPU is that of
nginx and of `server.edge.metrics`."""
    columns: ClassVar = {
        "model": "{model}",
        "clients": "{clients}",
        "requests": "{arm}",
        "per second": "{per_s:.0f}",
        "p50 ms": "{p50_ms:.2f}",
        "p99 ms": "{p99_ms:.1f}",
        "CPU ms per request": "{cpu_ms:.3f}",
    }

    def measure_rounds(self, args: Any) -> Iterator[Row]:
        users, ensembles = synthetic_users(args.users, args.seed), gender_ensembles()
        with ExitStack() as stack:
            server = stack.enter_context(running_triton(REPOSITORY))
            port, receiver = stack.enter_context(_running_receiver())
            template = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "nginx.conf.template"
            log = f"access_log syslog:server=127.0.0.1:{port},nohostname request;"
            template.write_text(TEMPLATE.read_text(encoding="utf-8").replace(DIRECTIVE, log), encoding="utf-8")
            proxies = {
                name: stack.enter_context(running_reverse_proxy(server.http_url, server.grpc_url, template=file))
                for name, file in ((NOT_LOGGED, TEMPLATE), (LOGGED, template))
            }
            for number, model, clients, name in product(range(args.rounds), ensembles, args.clients, proxies):
                requests = [triton_request(ensembles[model], user) for user in users]
                processes = [proxies[name].process.pid, receiver]
                before_s = sum(map(cpu_seconds, processes))
                figures = closed_loop(proxies[name].http_url, requests, clients, args.seconds)
                figures["cpu_ms"] = 1000 * (sum(map(cpu_seconds, processes)) - before_s) / figures["answers"]
                yield {"round": number, "model": model, "clients": clients, "arm": name, **figures}

    def goals(self, measurement: Measurement) -> Iterator[Goal]:
        arms = self.summarize(measurement.rows)
        on, figures = ["model", "clients"], ["per_s", "cpu_ms"]
        pairs = compare(arms[arms["arm"] == LOGGED], arms[arms["arm"] == NOT_LOGGED], on, figures)
        extra_ms, kept = pairs["cpu_ms_difference"].max(), pairs["per_s_ratio"].median()
        yield Goal(f"the log takes at most {MAX_MS} ms of CPU", f"{extra_ms:.3f} ms", extra_ms <= MAX_MS)
        yield Goal(f"the log keeps {MIN_KEPT:.0%} of the throughput", f"{kept:.0%}", kept >= MIN_KEPT)


@contextmanager
def _running_receiver() -> Iterator[tuple[int, int]]:
    """Run `server.edge.metrics`; yields its UDP port and its process id."""
    port, metrics_port = free_ports(2)
    command = [sys.executable, "-m", "server.edge.metrics", f"--listen=127.0.0.1:{port}", f"--port={metrics_port}"]
    process = spawn(command, None, os.environ)
    try:
        yield port, process.pid
    finally:
        end(process)
