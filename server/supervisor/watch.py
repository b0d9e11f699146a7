"""Looks at one server again and again, and does what the policy says."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Final, NoReturn

from server.errors import LaunchError

from .canary import Canaries
from .child import Child, Command
from .control import ControlError
from .policy import DEFAULTS, Canary, GiveUp, Limits, Observation, Policy, Restart, Revive, Verdict, Wait
from .repository import ensembles
from .status import Status
from .stubs import StubWatch, living_stubs

INTERVAL_S: Final = 0.5
# For the requests in flight of a server that is replaced though parts of it still answer.
GRACE_S: Final = 5.0


class GaveUp(Exception):
    """The server cannot be kept answering; one line that says why."""


@dataclass(frozen=True)
class Reports:
    """Who is told: `say` each action in one line, `well` once, when the server answers for the first time."""

    say: Callable[[str], None]
    well: Callable[[], None] = lambda: None


def say(action: str) -> None:
    """One line for each thing that was done, where there is still room to write it."""
    with suppress(OSError):
        print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} supervisor: {action}", flush=True)


class Supervisor:
    """Keeps the server of one command line answering."""

    def __init__(
        self,
        command: Command,
        status: Status,
        reports: Reports,
        *,
        limits: Limits = DEFAULTS,
        log: IO[bytes] | None = None,
    ) -> None:
        self._command = command
        self._status = status
        self._reports = reports
        self._log = log
        self._steps = ensembles(command.repositories)
        self._policy = Policy(self._steps, time.monotonic(), limits)
        self._was_well = False

    def run(self) -> NoReturn:
        """Start a server, and whenever it has to be, another one.

        Raises:
            GaveUp: nothing more could be tried.
        """
        while True:
            with Canaries(self._command.grpc_url, self._steps) as canaries, self._running() as child:
                restart = self._watch(child, canaries)
                self._status.restarts += 1
                pause = f" in {restart.pause_s:g} s" if restart.pause_s else ""
                self._reports.say(f"{restart.reason}; starting another one{pause}")
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
            # Whoever asks now is to go elsewhere while the requests in flight are answered.
            self._status.ready = False
            child.end()

    def _watch(self, child: Child, canaries: Canaries) -> Restart:
        """Look at a server until it has to be replaced."""
        stubs = StubWatch()
        while True:
            self._reread(canaries)
            seen = self._observe(child, stubs, canaries)
            # Where nobody could be asked, nobody answered.
            self._status.canaries = seen.canaries or dict.fromkeys(self._steps, Canary(Verdict.SILENT, 0.0))
            self._status.ready = seen.is_ready
            if seen.is_ready and not self._was_well:
                self._was_well = True
                self._reports.well()
            action = self._policy.next(seen, time.monotonic())
            if isinstance(action, Revive):
                action = self._revive(child, action)
            match action:
                case Wait():
                    child.wait(INTERVAL_S)
                case Restart() as restart:
                    return restart
                case GiveUp(reason):
                    raise GaveUp(reason)

    def _reread(self, canaries: Canaries) -> None:
        """Ensembles come and go while a server runs (`server.rollout`); a new one counts from when it is loaded."""
        with suppress(LaunchError, ControlError):
            found = ensembles(self._command.repositories)
            if found.keys() == self._steps.keys():
                return
            loaded = {each.model for each in self._command.control.ready()}
            steps = {name: found[name] for name in found if name in self._steps or name in loaded}
            if steps != self._steps:
                self._steps = steps
                self._policy.follow(steps, time.monotonic())
                canaries.follow(steps)

    def _observe(self, child: Child, stubs: StubWatch, canaries: Canaries) -> Observation:
        if (exit_code := child.exit_code()) is not None:
            return Observation(exit_code=exit_code)
        control = self._command.control
        try:
            answered = control.answered()
            dead = stubs.dead(living_stubs(child.pid), control.ready, control.instances)
        except ControlError:
            return Observation(alive=False)
        # A canary waits a second for a stub that is dead; it is not needed to know.
        return Observation(answered=answered, dead=dead, canaries={} if dead else canaries.ask())

    def _revive(self, child: Child, revive: Revive) -> Wait | Restart | GiveUp:
        """Load the models anew; returns what to do next."""
        self._status.ready = False
        how = "unloading and loading" if revive.unload else "loading"
        self._status.revivals.update(revive.models)
        self._reports.say(f"{', '.join(revive.models)}: cannot answer; {how} anew")
        old = [pid for pid, loaded in living_stubs(child.pid).items() if loaded.model in revive.models]
        try:
            self._command.control.renew(revive.models, revive.unload)
        except ControlError as exc:
            self._reports.say(f"{', '.join(revive.models)}: {exc}")
            return self._policy.lost(revive.models, time.monotonic()) if revive.unload else Wait()
        # What they still had to answer they have answered by then.
        child.wait(INTERVAL_S)
        child.end_stubs(old)
        return Wait()
