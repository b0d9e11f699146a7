"""Decides what to do after each look at the server; does no I/O and has no clock of its own."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from .snapshot import DEFAULTS, Action, CanaryResult, GiveUp, Limits, Reload, Restart, SetAside, Snapshot, Verdict


class Policy:
    """Turns snapshots into actions."""

    def __init__(self, now_s: float, limits: Limits = DEFAULTS) -> None:
        self._limits = limits
        self._forget_restarts()
        self._ever_ready = False
        self._unready_at_s: dict[str, float] = {}
        self._survivors: list[set[str]] = []  # the models of each ensemble that answered its last canary
        self._reset(now_s)

    @property
    def set_aside(self) -> frozenset[str]:
        """The models that are broken while other ensembles answer."""
        return frozenset(self._retry_at_s)

    def relevant(self, snapshot: Snapshot, now_s: float) -> Snapshot:
        """The snapshot without the ensembles that cannot answer for long; the others decide about readiness."""
        broken = {name for name, models in snapshot.steps.items() if not self.set_aside.isdisjoint(models)}
        self._unready_at_s = {name: self._unready_at_s.get(name, now_s) for name in snapshot.unready}
        lasting = {name for name, at_s in self._unready_at_s.items() if now_s - at_s >= self._limits.stuck_s}
        return replace(
            snapshot,
            canaries={name: canary for name, canary in snapshot.canaries.items() if name not in broken},
            dead=snapshot.dead - self.set_aside,
            unready=snapshot.unready - broken - lasting,
        )

    def next(self, snapshot: Snapshot, now_s: float) -> Action | None:
        """What to do now, if anything; the caller does it before the next call."""
        if snapshot.exit_code is not None:
            reason = f"tritonserver exited with code {snapshot.exit_code}"
            # Requests arrive before the first readiness too, and one that crashes Triton ends it by a signal.
            if snapshot.exit_code >= 0 and not self._ever_ready:
                return _cannot_start(reason)
            return self._restart(reason, True, now_s)
        if not snapshot.alive:
            return self._handle_silence(now_s)
        self._alive_at_s, self._loaded = now_s, True
        self._note_progress(snapshot, now_s)
        self._survivors = [
            set(snapshot.steps[name])
            for name, canary in snapshot.canaries.items()
            if canary.verdict is Verdict.ANSWERED
        ]
        for model in self.set_aside & self._healthy(snapshot):
            del self._retry_at_s[model]
            del self._retry_pause_s[model]
            del self._reloads[model]
        snapshot = self.relevant(snapshot, now_s)
        if failing := self._failing(snapshot, now_s):
            return self._reload(failing, now_s)
        if due := [model for model, at_s in self._retry_at_s.items() if now_s >= at_s]:
            for model in due:
                self._retry_pause_s[model] = min(2 * self._retry_pause_s[model], self._limits.max_retry_s)
            self._set_aside(due, now_s)
            return Reload(tuple(sorted(due)), unload=True)
        if snapshot.is_ready:
            self._note_ready(now_s)
        return None

    def _healthy(self, snapshot: Snapshot) -> set[str]:
        """The models of ensembles that answered; of those that get no canary, the ones that are loaded."""
        self._tested |= snapshot.canaries.keys()
        tested = set().union(*(models for name, models in snapshot.steps.items() if name in self._tested))
        loaded = set().union(*(models for name, models in snapshot.steps.items() if name not in snapshot.unready))
        return set().union(*self._survivors) | (loaded - tested - snapshot.dead)

    def reload_failed(self, models: Iterable[str], now_s: float) -> Restart | SetAside | GiveUp | None:
        """What to do after models were unloaded and could not be loaded again."""
        return self._abandon(set(models), "could not be loaded again", now_s)

    def _abandon(self, models: set[str], reason: str, now_s: float) -> Restart | SetAside | GiveUp | None:
        """Set models aside if an ensemble answers without them; only a server without any is restarted."""
        if any(models.isdisjoint(survivor) for survivor in self._survivors):
            known = models <= self.set_aside
            self._set_aside(models, now_s)
            return None if known else SetAside(tuple(sorted(models)))
        reason = f"{', '.join(sorted(models))}: {reason}"
        return self._restart(reason, False, now_s) if self._ever_ready else _cannot_start(reason)

    def _set_aside(self, models: Iterable[str], now_s: float) -> None:
        for model in models:
            self._retry_at_s[model] = now_s + self._retry_pause_s.setdefault(model, self._limits.first_retry_s)

    def _forget_restarts(self) -> None:
        self._restarts, self._next_pause_s = 0, 0.0

    def _reset(self, now_s: float) -> None:
        """Forget the previous server."""
        self._loaded = False
        self._alive_at_s = now_s
        self._ready_since_s: float | None = None
        self._answered: Mapping[str, int] = {}
        self._progress_at_s: dict[str, float] = {}
        self._canary_at_s: dict[str, float] = {}
        self._reloads: Counter[str] = Counter()
        self._retry_at_s: dict[str, float] = {}
        self._retry_pause_s: dict[str, float] = {}
        self._unready_at_s, self._survivors = {}, []
        self._tested: set[str] = set()  # the ensembles that got a canary

    def _handle_silence(self, now_s: float) -> Action | None:
        limit_s = self._limits.hang_s if self._loaded else self._limits.start_s
        silent_s = now_s - self._alive_at_s
        if silent_s < limit_s:
            return None
        if self._loaded:
            return self._restart(f"tritonserver does not answer after {silent_s:.1f} s", True, now_s)
        reason = f"tritonserver is not ready after {silent_s:.1f} s"
        return self._restart(reason, True, now_s) if self._ever_ready else _cannot_start(reason)

    def _note_progress(self, snapshot: Snapshot, now_s: float) -> None:
        """Note when each ensemble last answered its canary, and any request; a new ensemble counts from now."""
        answered = {name for name, canary in snapshot.canaries.items() if canary.verdict is Verdict.ANSWERED}
        idle = {name for name in snapshot.canaries if snapshot.answered.get(name) == self._answered.get(name)}
        self._canary_at_s = {
            name: now_s if name in answered else self._canary_at_s.get(name, now_s) for name in snapshot.canaries
        }
        self._progress_at_s = {
            name: self._progress_at_s.get(name, now_s) if name in idle - answered else now_s
            for name in snapshot.canaries
        }
        self._answered = snapshot.answered

    def _failing(self, snapshot: Snapshot, now_s: float) -> set[str]:
        """The models to reload."""
        failing = set(snapshot.dead)
        for ensemble, canary in snapshot.canaries.items():
            if canary.verdict is Verdict.BROKEN and canary.suspect:
                failing.add(canary.suspect)
            elif self._is_lasting(ensemble, canary, now_s):
                models = set(snapshot.steps[ensemble])
                # A model that answers in another ensemble is healthy.
                failing.update(models - set().union(*self._survivors) or models)
        return failing

    def _is_lasting(self, ensemble: str, canary: CanaryResult, now_s: float) -> bool:
        match canary.verdict:
            case Verdict.ANSWERED:
                return False
            case Verdict.BROKEN:
                return now_s - self._canary_at_s[ensemble] >= self._limits.broken_s
            case Verdict.SILENT:
                return now_s - self._progress_at_s[ensemble] >= self._limits.stuck_s

    def _note_ready(self, now_s: float) -> None:
        self._ever_ready = True
        if self._ready_since_s is None:
            self._ready_since_s = now_s
        if now_s - self._ready_since_s >= self._limits.stable_s:
            self._forget_restarts()
            self._reloads.clear()

    def _reload(self, models: set[str], now_s: float) -> Action | None:
        self._ready_since_s = None
        tried = max(self._reloads[model] for model in models)
        if tried >= self._limits.reloads:
            return self._abandon(models, "reloading did not help", now_s)
        self._reloads.update(models)
        self._canary_at_s, self._progress_at_s = {}, {}
        return Reload(tuple(sorted(models)), unload=tried > 0)

    def _restart(self, reason: str, at_once: bool, now_s: float) -> Restart | GiveUp:
        if self._restarts == self._limits.restarts:
            return GiveUp(f"{reason}; --restart-limit={self._restarts} is reached")
        self._restarts += 1
        # The first restart is immediate.
        pause_s, self._next_pause_s = self._next_pause_s, self._longer(self._next_pause_s)
        self._reset(now_s + pause_s)
        return Restart(reason, at_once, pause_s)

    def _longer(self, pause_s: float) -> float:
        """The pause after this one."""
        return min(2 * pause_s or self._limits.first_pause_s, self._limits.max_pause_s)


def _cannot_start(reason: str) -> GiveUp:
    """Flags, ports or files are wrong; another start would fail as the first one did."""
    return GiveUp(f"{reason}, before it was ever ready; its log says why")
