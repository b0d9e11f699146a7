"""Attacks through the reverse proxy as an experiment."""

import secrets
import tempfile
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

import pandas as pd

from perf.load.served import running_gender_models
from perf.report.experiment import Experiment, Goal, Measurement
from perf.report.markdown import table
from perf.report.runner import positive
from server.edge.access_policy import AccessPolicy
from server.edge.reverse_proxy import ReverseProxy, running_reverse_proxy
from server.launch.process import Server

from ..malformed.live_target import LiveTarget
from ..malformed.runner import dies
from .poisoned_requests import poisoned_requests
from .unauthenticated import Row, crashes, flood_all, most_log_lines

MAX_MB: Final = 64


class Attacks(Experiment):
    """Send poisoned inferences, and floods without a token, through the reverse proxy. Takes five minutes; needs nginx.

    Exits with 1 if Triton or nginx dies.
    """

    name = "attacks"
    title = "Attacks on the proxy"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--poisoned", type=positive, default=20_000, help="generated inferences")
        parser.add_argument("--flood", type=positive, default=1_000, help="requests of each flood")

    def measure(self, args: Any) -> Measurement:
        poisoned = [send_poisoned(args.seed, args.poisoned, proxied) for proxied in (False, True)]
        with ExitStack() as stack:
            server = stack.enter_context(running_gender_models())
            clients = stack.enter_context(tempfile.NamedTemporaryFile("w"))
            token = secrets.token_hex(32)
            clients.write(f'"Bearer {token}" valid;\n')
            clients.flush()
            policy = AccessPolicy(clients=Path(clients.name))
            proxy = stack.enter_context(running_reverse_proxy(server.http_url, server.grpc_url, policy))
            floods = list(flood_all(server, proxy, token, args.flood))
        return Measurement(pd.DataFrame(), {"poisoned": poisoned, "floods": floods})

    def goals(self, measurement: Measurement) -> Iterator[Goal]:
        poisoned, floods = _proxied(measurement), measurement.metadata["floods"]
        text = "poisoned inferences kill neither Triton nor nginx"
        yield Goal(text, f"{poisoned['deaths']} deaths in {poisoned['sent']:,}", not poisoned["deaths"])
        valid, failed = (sum(row[name] for row in floods) for name in ("valid", "valid_failed"))
        text = "a client with a token is answered during every flood, and no process crashes"
        endured = all(row["valid"] and not row["died"] for row in floods)
        yield Goal(text, f"{failed} of {valid:,} failed", endured and not failed)
        memory_mb = max(row["memory_mb"] for row in floods)
        text = f"nginx and Triton grow by at most {MAX_MB} MB under requests without a token"
        yield Goal(text, f"{memory_mb:.0f} MB", memory_mb <= MAX_MB)
        lines, requests = (sum(row[name] for row in floods) for name in ("log_lines", "requests"))
        met = all(row["log_lines"] <= most_log_lines(row["seconds"]) for row in floods)
        text = "they leave only log lines of health checks that the rate limit admits"
        yield Goal(text, f"{lines} lines of {requests:,} requests", met)

    def table(self, measurement: Measurement) -> str:
        poisoned = [{**row, "proxied": _YES_NO[row["front"]]} for row in measurement.metadata["poisoned"]]
        floods = [{**row, "crashed": _YES_NO[row["died"]]} for row in measurement.metadata["floods"]]
        return f"""\
Inferences over HTTP were made from valid ones by a few hostile changes: claimed shapes, repeated keys, nested arrays,
wrong types, missing and foreign members, changed bytes, wrong lengths. The same ones went to Triton directly, until it
died, and through the reverse proxy:

{table(poisoned, _POISONED)}

Floods without a token, each over connections of their own, while a client with a token predicts. Memory is that of
nginx, Triton and its stubs above the start. The log lines are those of nginx and Triton.

{table(floods, _FLOODS)}"""

    def failure(self, measurement: Measurement) -> str:
        died = any(row["died"] for row in measurement.metadata["floods"])
        return "Triton or nginx died, see above" if died or _proxied(measurement)["deaths"] else ""


_YES_NO: Final = ("no", "yes")
_POISONED: Final = {
    "proxied": "{proxied}",
    "sent": "{sent:,}",
    "rejected by the proxy": "{rejected:,}",
    "rejected by Triton": "{refused:,}",
    "answered": "{answered:,}",
    "without a response": "{lost:,}",
    "deaths": "{deaths}",
}
_FLOODS: Final = {
    "requests": "{attack}",
    "sent": "{requests:,}",
    "with a response": "{answered:,}",
    "predictions failed": "{valid_failed} of {valid}",
    "seconds": "{seconds:.0f}",
    "most MB": "{memory_mb:.0f}",
    "log lines": "{log_lines}",
    "crashed": "{crashed}",
}


def send_poisoned(seed: int, count: int, proxied: bool) -> Row:
    """Send generated inferences to a new Triton until it dies; return how many had which result."""
    results = Counter[str]()
    with ExitStack() as stack:
        server = stack.enter_context(running_gender_models())
        proxy = stack.enter_context(running_reverse_proxy(server.http_url, server.grpc_url))
        endpoint: Server | ReverseProxy = proxy if proxied else server
        target = stack.enter_context(closing(LiveTarget(endpoint.http_url, endpoint.grpc_url)))
        for content in poisoned_requests(seed, count):
            response = target.http(content, half_close=False)
            results["rejected" if _is_from_proxy(response.message) else response.result] += 1
            if response.result == "hung up" and dies(server):
                break
        deaths = int(server.process.poll() is not None) + crashes(proxy)
    return {
        "front": proxied,
        "sent": results.total(),
        "rejected": results["rejected"],
        "refused": results["refused"] + results["another error"],
        "answered": results["answered"],
        "lost": results["hung up"] + results["no answer"],
        "deaths": deaths,
    }


def _is_from_proxy(message: str) -> bool:
    return '"malformed: ' in message or '"length: ' in message


def _proxied(measurement: Measurement) -> Row:
    row: Row = next(row for row in measurement.metadata["poisoned"] if row["front"])
    return row
