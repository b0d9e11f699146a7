"""What the policy sees of a server, and what it may decide."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final


class Verdict(Enum):
    """How a canary request ended."""

    ANSWERED = auto()
    BROKEN = auto()  # the server reported an error
    SILENT = auto()  # no answer in time, or the server is overloaded


@dataclass(frozen=True)
class CanaryResult:
    """The result of one canary request; `suspect` is the model that its `error` names."""

    verdict: Verdict
    seconds: float
    suspect: str | None = None
    request_id: str = ""
    error: str = ""


@dataclass(frozen=True)
class Snapshot:
    """The server at one moment.

    Attributes:
        exit_code: Exit code of the process; None while it runs.
        alive: Whether Triton's API answers.
        steps: The models of each ensemble.
        canaries: Canary results by ensemble.
        answered: Inferences answered so far by model.
        dead: Models that lack a Python stub.
        unready: Ensembles that have no canary and that Triton does not report as ready.
    """

    exit_code: int | None = None
    alive: bool = True
    steps: Mapping[str, Iterable[str]] = field(default_factory=dict)
    canaries: Mapping[str, CanaryResult] = field(default_factory=dict)
    answered: Mapping[str, int] = field(default_factory=dict)
    dead: frozenset[str] = frozenset()
    unready: frozenset[str] = frozenset()

    @property
    def is_ready(self) -> bool:
        """Whether a load balancer should send requests here."""
        answered = bool(self.canaries) and all(each.verdict is Verdict.ANSWERED for each in self.canaries.values())
        return answered and self.exit_code is None and self.alive and not self.dead and not self.unready


@dataclass(frozen=True)
class Reload:
    """Reload these models, beside the running instances or, with `unload`, after unloading them."""

    models: tuple[str, ...]
    unload: bool


@dataclass(frozen=True)
class Restart:
    """End the server, at once if it answers nothing, and start another one after a pause."""

    reason: str
    at_once: bool
    pause_s: float


@dataclass(frozen=True)
class SetAside:
    """Leave these models broken, because other ensembles answer without them; they are loaded again later."""

    models: tuple[str, ...]


@dataclass(frozen=True)
class GiveUp:
    """Nothing is left to try."""

    reason: str


Action = Reload | Restart | SetAside | GiveUp


@dataclass(frozen=True)
class Limits:
    """When to act. Counts start again after the server was ready for `stable_s`."""

    start_s: float = 120.0  # to load every model
    hang_s: float = 4.0  # without an answer; shorter than a client's deadline, so that it can try another replica
    broken_s: float = 3.0  # of errors that name no model; a model that is being loaded causes some too
    stuck_s: float = 15.0  # without an answer to any request of the ensemble; load alone only slows answers down
    reloads: int = 2
    # Pauses between attempts to load a model that was set aside; they double, as a broken file can stay for days.
    first_retry_s: float = 2.0
    max_retry_s: float = 60.0
    restarts: int | None = None  # in a row, before it gives up; None: never
    first_pause_s: float = 1.0
    max_pause_s: float = 10.0  # requests that crash Triton must not stop the service for longer than a start takes
    stable_s: float = 60.0


DEFAULTS: Final = Limits()
