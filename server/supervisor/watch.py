"""Looks at one server twice a second and does what the policy decides."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, Final, NoReturn

from server.catalog import GENDER, Catalog, CatalogError, Ensemble
from server.checksums import MANIFEST
from server.checksums.snapshot import refresh_snapshots
from server.errors import ControlError, LaunchError
from server.event_log import Level, log_event

from .canary import QUESTIONS, CanaryClient
from .child import Child, Command
from .policy import Policy
from .snapshot import DEFAULTS, Action, CanaryResult, GiveUp, Limits, Reload, Restart, SetAside, Snapshot, Verdict
from .status import SupervisorStatus
from .stubs import StubWatch, living_stubs

INTERVAL_S: Final = 0.5
# For requests in flight, if a server is replaced although parts of it still answer.
GRACE_S: Final = 5.0


class GaveUp(Exception):
    """The server cannot be kept running; one line that says why."""


log_action = partial(log_event, "supervisor")


def read_ensembles(repositories: Iterable[Path]) -> dict[str, Ensemble]:
    """The ensembles on disk by name; they have to be known before any server answers.

    Raises:
        LaunchError: A configuration cannot be read, or no ensemble takes canary requests.
    """
    try:
        ensembles = Catalog(*repositories).ensembles()
    except CatalogError as exc:
        raise LaunchError(str(exc)) from exc
    if not any(each.role == GENDER for each in ensembles):
        folders = ", ".join(map(str, repositories)) or "no folder"
        raise LaunchError(
            f"expected an ensemble of role {GENDER!r} in {folders}, found none; "
            f"pass --model-repository=<folder> with one, or set the parameter `role` in its config.pbtxt"
        )
    return {each.name: each for each in ensembles}


def _recorded_at_ns(repository: Path) -> int:
    """When the files of a repository were last recorded; 0 if they never were."""
    try:
        return (repository / MANIFEST).stat().st_mtime_ns
    except OSError:
        return 0


class Supervisor:
    """Keeps the server of one command line running and answering.

    Args:
        command: The server's command line.
        status: Updated after each look at the server.
        on_ready: Called when the server is ready for the first time.
        limits: When to act.
        log: File for the server's log; emptied before each start. By default the log goes to this process' output.
    """

    def __init__(
        self,
        command: Command,
        status: SupervisorStatus,
        on_ready: Callable[[], None],
        *,
        limits: Limits = DEFAULTS,
        log: IO[bytes] | None = None,
    ) -> None:
        self._command = command
        self._control = command.control
        self._status = status
        self._on_ready = on_ready
        self._log = log
        self._ensembles = read_ensembles(command.repositories)
        self._policy = Policy(time.monotonic(), limits)
        self._recorded: list[int] = []
        self._verdicts: dict[str, Verdict] = {}
        self._was_ready = False

    def run(self) -> NoReturn:
        """Start a server, and replace it when the policy says so.

        Raises:
            GaveUp: Nothing is left to try.
        """
        while True:
            with CanaryClient(self._control.url) as canaries, self._running() as child:
                restart = self._watch(child, canaries)
                self._status.restarts += 1
                pause = f" in {restart.pause_s:g} s" if restart.pause_s else ""
                log_action("restart", f"{restart.reason}; starting another one{pause}", "error")
                child.end(0 if restart.at_once else GRACE_S)
            time.sleep(restart.pause_s)

    @contextmanager
    def _running(self) -> Iterator[Child]:
        if self._log:
            self._log.seek(0)
            self._log.truncate()
        child = Child(self._command, self._log)
        try:
            yield child
        finally:
            # Load balancers send new requests elsewhere while those in flight are answered.
            self._status.ready = False
            child.end()

    def _watch(self, child: Child, canaries: CanaryClient) -> Restart:
        """Look at a server until it has to be replaced."""
        stubs = StubWatch()
        while True:
            self._follow_files()
            self._reread_ensembles()
            snapshot = self._look(child, stubs, canaries)
            self._publish(snapshot)
            action = self._policy.next(snapshot, time.monotonic())
            if isinstance(action, Reload):
                action = self._reload(child, action)
            match action:
                case None:
                    child.wait(INTERVAL_S)
                case SetAside(models):
                    names = ", ".join(models)
                    message = f"{names}: set aside; other ensembles answer, and it is loaded again later"
                    log_action("set_aside", message, "error", models=models)
                case Restart() as restart:
                    return restart
                case GiveUp(reason):
                    raise GaveUp(reason)

    def _publish(self, snapshot: Snapshot) -> None:
        self._log_changes(snapshot.canaries)
        self._status.looked_s = time.monotonic()
        silent = dict.fromkeys(self._canary_ensembles(), CanaryResult(Verdict.SILENT, 0.0))
        self._status.canaries = {**silent, **snapshot.canaries}
        self._status.set_aside = self._policy.set_aside
        # A counter that starts at 1 hides its first increase from Prometheus.
        self._status.reloads.update(dict.fromkeys(chain(*snapshot.steps.values()), 0))
        self._status.ready = self._policy.relevant(snapshot, time.monotonic()).is_ready
        if self._status.ready and not self._was_ready:
            self._was_ready = True
            self._on_ready()

    def _log_changes(self, canaries: Mapping[str, CanaryResult]) -> None:
        """Log the canaries that fail since the last look, with the ids of their requests, and those that recover."""
        for name, canary in canaries.items():
            if canary.verdict is not self._verdicts.get(name, Verdict.ANSWERED):
                answered = canary.verdict is Verdict.ANSWERED
                event, message = ("canary_answered", "answers again") if answered else ("canary_failed", canary.error)
                level: Level = "info" if answered else "warning"
                log_action(event, f"{name}: {message}", level, model=name, request=canary.request_id)
            self._verdicts[name] = canary.verdict

    def _canary_ensembles(self) -> set[str]:
        """The ensembles that take canary requests."""
        return {name for name, each in self._ensembles.items() if each.role in QUESTIONS}

    def _reread_ensembles(self) -> None:
        """Follow `server.rollout`, which adds and removes ensembles; a new one counts once it is loaded."""
        with suppress(LaunchError, ControlError):
            ensembles = read_ensembles(self._command.repositories)
            if ensembles.keys() == self._ensembles.keys():
                return
            loaded = {each.model for each in self._control.ready()}
            self._ensembles = {
                name: each for name, each in ensembles.items() if name in self._ensembles or name in loaded
            }

    def _look(self, child: Child, stubs: StubWatch, canaries: CanaryClient) -> Snapshot:
        if (exit_code := child.exit_code()) is not None:
            return Snapshot(exit_code=exit_code)
        if not child.listens():
            return Snapshot(alive=False)
        try:
            answered: Counter[str] = Counter()
            for each in self._control.statistics():
                answered[each.name] += each.inference_count
            dead = stubs.dead(living_stubs(child.pid), self._control.ready, self._instances)
            steps = {name: each.steps for name, each in self._ensembles.items()}
            others = self._ensembles.keys() - self._canary_ensembles()
            unready = frozenset(name for name in others if not self._control.is_ready(name))
        except ControlError:
            return Snapshot(alive=False)
        # A canary would wait a second for a stub that is known to be dead.
        results = canaries.send(
            self._ensembles[name] for name in self._canary_ensembles() if dead.isdisjoint(steps[name])
        )
        return Snapshot(steps=steps, canaries=results, answered=answered, dead=dead, unready=unready)

    def _instances(self, model: str) -> int:
        return sum(group.count or 1 for group in self._control.config(model).instance_group) or 1

    def _follow_files(self) -> None:
        """Bring what was recorded since the last look into the copy that Triton reads, and only loads on request.

        `server.rollout` cannot do it for a server of another user or machine.
        """
        recorded = [_recorded_at_ns(repository) for repository in self._command.repositories]
        if recorded != self._recorded:
            if self._recorded:
                log_action("files_changed", "taking over the files that were recorded")
                self._refresh_files()
            self._recorded = recorded

    def _refresh_files(self) -> None:
        """Let Triton see files that were repaired or recorded since it started."""
        for repository in self._command.repositories:
            try:
                errors = refresh_snapshots(repository)
            except LaunchError as exc:
                errors = [exc]
            for error in errors:
                log_action("file_rejected", str(error), "error")

    def _reload(self, child: Child, reload: Reload) -> Action | None:
        """Reload the models; returns what to do next, if anything."""
        # Those of a model that was set aside are no part of readiness.
        if not self._policy.set_aside.issuperset(reload.models):
            self._status.ready = False
        self._status.reloads.update(reload.models)
        names = ", ".join(reload.models)
        how = "unloading and loading" if reload.unload else "reloading"
        log_action("reload", f"{names}: cannot answer; {how}", "warning", models=reload.models)
        if reload.unload:
            self._refresh_files()
        old = [pid for pid, version in living_stubs(child.pid).items() if version.model in reload.models]
        try:
            self._control.reload(reload.models, unload=reload.unload)
        except ControlError as exc:
            log_action("reload_failed", f"{names}: {exc}", "error", models=reload.models)
            return self._policy.reload_failed(reload.models, time.monotonic()) if reload.unload else None
        # By then, they have answered the requests that they still had.
        child.wait(INTERVAL_S)
        child.end_stubs(old)
        return None
