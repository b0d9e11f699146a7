"""What to do after what was seen: no clock, no process and no network of its own."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final


class Verdict(Enum):
    """How a canary ended."""

    ANSWERED = auto()
    BROKEN = auto()  # the server said that it cannot
    SILENT = auto()  # nothing in time, or too busy


@dataclass(frozen=True)
class Canary:
    """One inference of one ensemble: `suspect` is the model that its error names."""

    verdict: Verdict
    seconds: float
    suspect: str | None = None


@dataclass(frozen=True)
class Observation:
    """What was seen of the server at one moment.

    `exit_code` of its process, None while it lives; `alive`: its health endpoint answers; `answered`: how many
    inferences each ensemble has answered so far; `dead`: models that lack a Python stub.
    """

    exit_code: int | None = None
    alive: bool = True
    canaries: Mapping[str, Canary] = field(default_factory=dict)
    answered: Mapping[str, int] = field(default_factory=dict)
    dead: frozenset[str] = frozenset()

    @property
    def is_ready(self) -> bool:
        """Whether a load balancer should send requests here."""
        well = bool(self.canaries) and all(each.verdict is Verdict.ANSWERED for each in self.canaries.values())
        return well and self.exit_code is None and self.alive and not self.dead


@dataclass(frozen=True)
class Wait:
    """Look again later."""


@dataclass(frozen=True)
class Revive:
    """Load these models anew: beside the old ones, which answer meanwhile as far as they can, or after unloading."""

    models: tuple[str, ...]
    unload: bool


@dataclass(frozen=True)
class Restart:
    """End the server, at once where nothing in it answers any more, and start another one after a pause."""

    reason: str
    at_once: bool
    pause_s: float


@dataclass(frozen=True)
class GiveUp:
    """Nothing more to be tried."""

    reason: str


Action = Wait | Revive | Restart | GiveUp


@dataclass(frozen=True)
class Limits:
    """How patient to be; seconds, and counts since all was well for `stable_s`."""

    start_s: float = 120.0  # for loading every model
    hang_s: float = 4.0  # without a sign of life; shorter than a client waits, so that it still finds another replica
    broken_s: float = 3.0  # failing without saying where, which an unloading or loading model does for a moment
    stuck_s: float = 15.0  # silent, and nobody else answered either: a crowd alone is no fault
    revivals: int = 2
    restarts: int = 5
    first_pause_s: float = 1.0
    max_pause_s: float = 60.0
    stable_s: float = 60.0


DEFAULTS: Final = Limits()


class Policy:
    """Turns observations into actions; `steps` are the models that each ensemble is made of."""

    def __init__(self, steps: Mapping[str, Iterable[str]], now_s: float, limits: Limits = DEFAULTS) -> None:
        self._steps = {ensemble: tuple(models) for ensemble, models in steps.items()}
        self._limits = limits
        self._restarts = 0
        self._ever_well = False
        self._started(now_s)

    def follow(self, steps: Mapping[str, Iterable[str]], now_s: float) -> None:
        """Other ensembles are to be watched from now on; what is known of those that stay is kept."""
        self._steps = {ensemble: tuple(models) for ensemble, models in steps.items()}
        for since_s in (self._moved_at_s, self._canary_at_s):
            for ensemble in self._steps:
                since_s.setdefault(ensemble, now_s)

    def next(self, seen: Observation, now_s: float) -> Action:
        """What to do now; whoever asks does it before asking again."""
        if seen.exit_code is not None:
            return self._restart(f"tritonserver ended by itself with exit code {seen.exit_code}", True, now_s)
        if not seen.alive:
            return self._mind_silence(now_s)
        self._alive_at_s, self._loaded = now_s, True
        self._note_progress(seen, now_s)
        if troubled := self._troubled(seen, now_s):
            return self._revive(troubled, now_s)
        if seen.is_ready:
            self._note_well(now_s)
        return Wait()

    def lost(self, models: Iterable[str], now_s: float) -> Restart | GiveUp:
        """What to do where models were unloaded and could not be loaded again: nothing of them is left to wait for."""
        return self._restart(f"{', '.join(models)}: could not be loaded again", False, now_s)

    def _started(self, now_s: float) -> None:
        """A new server, of which nothing is known."""
        self._loaded = False
        self._alive_at_s = now_s
        self._well_since_s: float | None = None
        self._answered: dict[str, int] = {}
        self._moved_at_s = dict.fromkeys(self._steps, now_s)
        self._canary_at_s = dict.fromkeys(self._steps, now_s)
        self._revivals: Counter[str] = Counter()

    def _mind_silence(self, now_s: float) -> Action:
        patience_s = self._limits.hang_s if self._loaded else self._limits.start_s
        if now_s - self._alive_at_s < patience_s:
            return Wait()
        what = "answers nothing" if self._loaded else "is not ready"
        return self._restart(f"tritonserver {what} after {now_s - self._alive_at_s:.1f} s", True, now_s)

    def _note_progress(self, seen: Observation, now_s: float) -> None:
        for ensemble, canary in seen.canaries.items():
            if canary.verdict is Verdict.ANSWERED:
                self._canary_at_s[ensemble] = self._moved_at_s[ensemble] = now_s
            if seen.answered.get(ensemble) != self._answered.get(ensemble):
                self._moved_at_s[ensemble] = now_s
        self._answered = dict(seen.answered)

    def _troubled(self, seen: Observation, now_s: float) -> set[str]:
        """The models to load anew."""
        troubled = set(seen.dead)
        for ensemble, canary in seen.canaries.items():
            if canary.verdict is Verdict.BROKEN and canary.suspect:
                troubled.add(canary.suspect)
            elif self._is_lasting(ensemble, canary, now_s):
                troubled.update(self._steps[ensemble])
        return troubled

    def _is_lasting(self, ensemble: str, canary: Canary, now_s: float) -> bool:
        match canary.verdict:
            case Verdict.ANSWERED:
                return False
            case Verdict.BROKEN:
                return now_s - self._canary_at_s[ensemble] >= self._limits.broken_s
            case Verdict.SILENT:
                return now_s - self._moved_at_s[ensemble] >= self._limits.stuck_s

    def _note_well(self, now_s: float) -> None:
        self._ever_well = True
        if self._well_since_s is None:
            self._well_since_s = now_s
        if now_s - self._well_since_s >= self._limits.stable_s:
            self._restarts = 0
            self._revivals.clear()

    def _revive(self, models: set[str], now_s: float) -> Action:
        self._well_since_s = None
        tried = max(self._revivals[model] for model in models)
        if tried >= self._limits.revivals:
            return self._restart(f"{', '.join(sorted(models))}: loading anew did not help", False, now_s)
        self._revivals.update(models)
        for ensemble in self._steps:
            self._canary_at_s[ensemble] = self._moved_at_s[ensemble] = now_s
        return Revive(tuple(sorted(models)), unload=tried > 0)

    def _restart(self, reason: str, at_once: bool, now_s: float) -> Restart | GiveUp:
        if not self._ever_well:
            return GiveUp(f"{reason}, before it ever answered; its log says why")
        if self._restarts >= self._limits.restarts:
            return GiveUp(f"{reason}; restarted {self._restarts} times in vain")
        self._restarts += 1
        # A server that died once is wanted back at once; one that dies again and again will not be better for haste.
        pause_s = 0.0 if self._restarts == 1 else self._limits.first_pause_s * 2.0 ** (self._restarts - 2)
        pause_s = min(pause_s, self._limits.max_pause_s)
        self._started(now_s + pause_s)
        return Restart(reason, at_once, pause_s)
