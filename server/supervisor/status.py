"""Serves the supervisor's status over HTTP: `/ready` for load balancers, `/live`, and `/metrics` for Prometheus."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from server.status_server import family, serve_text

from .snapshot import CanaryResult, Verdict

STATUS_PORT: Final = 8003
# Loading several models again takes minutes at most.
STUCK_S: Final = 300.0


@dataclass
class SupervisorStatus:
    """The latest state; the supervisor writes it, HTTP handlers read it. `looked_s` is when, on the monotonic clock."""

    ready: bool = False
    looked_s: float = field(default_factory=time.monotonic)
    canaries: Mapping[str, CanaryResult] = field(default_factory=dict)
    set_aside: frozenset[str] = frozenset()
    restarts: int = 0
    reloads: Counter[str] = field(default_factory=Counter)

    def is_ready(self) -> bool:
        """Whether load balancers should send requests here."""
        return self.ready and not self.is_stuck()

    def is_stuck(self) -> bool:
        """Whether the supervisor hangs, on a network disk for example, so that the rest is out of date."""
        return time.monotonic() - self.looked_s > STUCK_S

    def metrics(self) -> str:
        """The status in Prometheus' text format."""
        answered = {name: each.verdict is Verdict.ANSWERED for name, each in self.canaries.items()}
        seconds = {name: each.seconds for name, each in self.canaries.items()}
        set_aside = dict.fromkeys(sorted(self.set_aside), 1)
        reloads = dict(sorted(self.reloads.copy().items()))
        families: list[tuple[str, str, str, Mapping[str, float]]] = [
            ("ready", "gauge", "1 if every ensemble answers and no model lacks a stub.", {"": self.is_ready()}),
            ("canary_ok", "gauge", "1 if the ensemble answered its last canary.", _by_model(answered)),
            ("canary_seconds", "gauge", "Duration of the ensemble's last canary.", _by_model(seconds)),
            ("model_set_aside", "gauge", "1 if the model is broken and others answer.", _by_model(set_aside)),
            ("server_restarts_total", "counter", "Servers that were replaced.", {"": self.restarts}),
            ("model_revivals_total", "counter", "Times the model was reloaded.", _by_model(reloads)),
        ]
        return "".join(family(f"gender_{name}", kind, meaning, samples) for name, kind, meaning, samples in families)


def _by_model(values: Mapping[str, float]) -> dict[str, float]:
    return {f'model="{model}"': value for model, value in values.items()}


@contextmanager
def serve_status(status: SupervisorStatus, address: str, port: int) -> Iterator[int]:
    """Serve `status` over HTTP; yields the port, which Linux chooses if `port` is 0.

    Raises:
        LaunchError: Another process listens there.
    """
    with serve_text(partial(_respond, status), address, port, "--status-port") as bound:
        yield bound


def _respond(status: SupervisorStatus, path: str) -> tuple[int, str]:
    match path:
        case "/ready":
            return (200, "ready\n") if status.is_ready() else (503, "not ready\n")
        case "/live":
            return (503, "stuck\n") if status.is_stuck() else (200, "live\n")
        case "/metrics":
            return 200, status.metrics()
        case _:
            return 404, "expected /ready, /live or /metrics\n"
