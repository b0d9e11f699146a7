"""What the policy decides after a sequence of snapshots; the clock is a number."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import pytest

from server.supervisor.policy import Policy
from server.supervisor.snapshot import (
    DEFAULTS,
    Action,
    CanaryResult,
    GiveUp,
    Limits,
    Reload,
    Restart,
    SetAside,
    Snapshot,
    Verdict,
)

LIMITS = Limits(
    start_s=100, hang_s=4, broken_s=3, stuck_s=15, reloads=2, restarts=3, first_pause_s=1, max_pause_s=3, stable_s=60
)
STEPS = {"both": ("prepare", "network"), "other": ("prepare", "small")}
ANSWERED = CanaryResult(Verdict.ANSWERED, 0.01)
BROKEN = CanaryResult(Verdict.BROKEN, 0.01)
SILENT = CanaryResult(Verdict.SILENT, 2.0)
READY = Snapshot(steps=STEPS, canaries=dict.fromkeys(STEPS, ANSWERED))
NOT_ANSWERING = Snapshot(alive=False)
ALIVE_NOT_READY = Snapshot(steps=STEPS, canaries=dict.fromkeys(STEPS, CanaryResult(Verdict.SILENT, 2.0)))
EXITED = Snapshot(exit_code=-6)


def with_canaries(counts: Mapping[str, int] | None = None, **canaries: CanaryResult) -> Snapshot:
    return replace(READY, canaries={**READY.canaries, **canaries}, answered=counts or {})


def dead(*models: str) -> Snapshot:
    return replace(READY, canaries={}, dead=frozenset(models))


class Clock:
    """A policy and its clock; the server is ready at second 0."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.now_s = 0.0
        self._policy = Policy(0.0, limits)
        assert self.next(READY) is None

    def next(self, snapshot: Snapshot, after_s: float = 0.5) -> Action | None:
        self.now_s += after_s
        return self._policy.next(snapshot, self.now_s)

    def reload_failed(self, model: str) -> Action | None:
        return self._policy.reload_failed((model,), self.now_s)

    def is_ready(self, snapshot: Snapshot) -> bool:
        return self._policy.relevant(snapshot, self.now_s).is_ready

    def actions(self, seconds: float, snapshot: Snapshot) -> list[Action]:
        """The actions while the snapshot stays the same."""
        actions = [self.next(snapshot) for _ in range(int(seconds / 0.5))]
        return [action for action in actions if action is not None]


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_added_ensemble_counts_from_its_first_canary(clock: Clock) -> None:
    steps = {"both": STEPS["both"], "new": ("prepare", "late")}
    added = Snapshot(steps=steps, canaries={"both": ANSWERED, "new": BROKEN})
    assert clock.actions(2.5, added) == []
    assert clock.actions(1, added) == [Reload(("late",), unload=False)]
    assert clock.actions(100, READY) == []
    assert clock.actions(2.5, added) == []


@pytest.mark.parametrize("snapshot", [READY, replace(READY, unready=frozenset({"rank"}))])
def test_no_action_while_canaries_are_answered(clock: Clock, snapshot: Snapshot) -> None:
    assert clock.actions(1000, snapshot) == []


def test_model_without_a_stub_is_reloaded_at_once(clock: Clock) -> None:
    assert clock.next(dead("network")) == Reload(("network",), unload=False)
    assert clock.actions(100, READY) == []


def test_model_named_by_an_error_is_reloaded_at_once(clock: Clock) -> None:
    assert clock.next(with_canaries(both=replace(BROKEN, suspect="prepare"))) == Reload(("prepare",), unload=False)


def test_reload_then_unload_then_restart(clock: Clock) -> None:
    assert [clock.next(dead("network")) for _ in range(4)] == [
        Reload(("network",), unload=False),
        Reload(("network",), unload=True),
        Restart("network: reloading did not help", at_once=False, pause_s=0),
        Reload(("network",), unload=False),  # of the new server
    ]


def test_failed_reload_after_unloading_restarts_the_server(clock: Clock) -> None:
    reason = "prepare: could not be loaded again"
    assert clock.reload_failed("prepare") == Restart(reason, at_once=False, pause_s=0)
    actions = [clock.reload_failed("prepare") for _ in range(3)]
    assert actions[-1] == GiveUp(f"{reason}; --restart-limit=3 is reached")


def test_broken_model_is_set_aside_while_another_ensemble_answers(clock: Clock) -> None:
    broken = with_canaries(both=BROKEN)
    assert clock.actions(3, broken) == [Reload(("network",), unload=False)]
    assert clock.actions(4, broken) == [Reload(("network",), unload=True)]
    assert clock.reload_failed("network") == SetAside(("network",))
    assert clock.is_ready(broken)
    assert clock.actions(2, broken) == [Reload(("network",), unload=True)]
    assert clock.reload_failed("network") is None
    assert clock.is_ready(broken)
    assert clock.actions(50, READY) == []
    assert not clock.is_ready(broken)


def test_model_whose_reload_does_not_help_is_set_aside(clock: Clock) -> None:
    broken = with_canaries(both=BROKEN)
    *reloads, last = clock.actions(10, broken)
    assert last == SetAside(("network",))
    assert all(isinstance(action, Reload) for action in reloads)


def test_model_without_a_canary_is_no_longer_set_aside_once_it_is_loaded(clock: Clock) -> None:
    steps = {**STEPS, "explain": ("prepare", "heat")}
    ready = replace(READY, steps=steps)
    lost = replace(ready, dead=frozenset({"heat"}), unready=frozenset({"explain"}))
    assert [clock.next(lost) for _ in range(3)][-1] == SetAside(("heat",))
    assert clock.actions(2, lost) == [Reload(("heat",), unload=True)]
    assert clock.actions(200, ready) == [], "it would be unloaded every minute"


def test_loaded_ensemble_without_a_canary_does_not_prove_a_tested_model(clock: Clock) -> None:
    broken = replace(with_canaries(both=BROKEN), steps={**STEPS, "explain": ("network", "heat")})
    assert clock.actions(10, broken)[-1] == SetAside(("network",))
    assert clock.actions(20, broken) == [Reload(("network",), unload=True)] * 3


def test_pauses_before_a_model_that_was_set_aside_is_loaded_again_double_up_to_a_limit(clock: Clock) -> None:
    broken = with_canaries(both=BROKEN)
    for _ in range(2):
        assert clock.actions(10, broken)[-1] == SetAside(("network",))
        attempts_s = [clock.now_s]
        for _ in range(500):
            if clock.next(broken):
                attempts_s.append(clock.now_s)
        assert [later - earlier for earlier, later in pairwise(attempts_s)][:7] == [2, 4, 8, 16, 32, 60, 60]
        assert clock.actions(0.5, READY) == []  # the pauses are forgotten


def test_ensemble_without_a_canary_that_stays_unready_does_not_end_readiness(clock: Clock) -> None:
    unready = replace(READY, unready=frozenset({"rank"}))
    clock.next(unready)
    assert not clock.is_ready(unready)
    clock.actions(20, unready)
    assert clock.is_ready(unready)


def test_reloads_are_counted_by_model(clock: Clock) -> None:
    for model in ("network", "small", "prepare"):
        assert clock.next(dead(model)) == Reload((model,), unload=False)


def test_reloads_are_forgotten_after_a_stable_time(clock: Clock) -> None:
    for _ in range(5):
        assert clock.next(dead("network")) == Reload(("network",), unload=False)
        assert clock.actions(61, READY) == []


def test_error_that_names_no_model_has_to_last(clock: Clock) -> None:
    assert clock.actions(2, with_canaries(both=BROKEN)) == []
    assert clock.actions(10, READY) == []
    assert clock.actions(3, with_canaries(both=BROKEN)) == [Reload(("network",), unload=False)]


def test_silent_canaries_are_no_fault_while_other_requests_are_answered(clock: Clock) -> None:
    for answered in range(200):
        snapshot = with_canaries({"both": answered, "other": answered}, both=SILENT, other=SILENT)
        assert clock.next(snapshot, after_s=2.0) is None


def test_ensemble_that_answers_no_request_is_reloaded(clock: Clock) -> None:
    snapshot = with_canaries({"both": 5, "other": 5}, both=SILENT)
    assert clock.actions(14, snapshot) == []
    assert clock.actions(2, snapshot) == [Reload(("network",), unload=False)]


def test_server_that_exited_is_replaced_at_once(clock: Clock) -> None:
    assert clock.next(EXITED) == Restart("tritonserver exited with code -6", at_once=True, pause_s=0)


def test_server_that_does_not_answer_is_killed(clock: Clock) -> None:
    assert clock.actions(3.5, NOT_ANSWERING) == []
    assert clock.next(NOT_ANSWERING) == Restart("tritonserver does not answer after 4.0 s", at_once=True, pause_s=0)


def test_server_that_starts_has_more_time(clock: Clock) -> None:
    clock.next(EXITED)
    assert clock.actions(99, NOT_ANSWERING) == []
    reason = "tritonserver is not ready after 100.0 s"
    assert clock.actions(1.5, NOT_ANSWERING) == [Restart(reason, at_once=True, pause_s=1)]


def test_pauses_double_up_to_a_limit_until_it_gives_up() -> None:
    clock = Clock(replace(LIMITS, restarts=6))
    *restarts, last = (clock.next(EXITED) for _ in range(7))
    assert [each.pause_s for each in restarts if isinstance(each, Restart)] == [0, 1, 2, 3, 3, 3]
    assert last == GiveUp("tritonserver exited with code -6; --restart-limit=6 is reached")


def test_restarts_never_end_by_default() -> None:
    """Requests that crash Triton arrive as long as a client sends them."""
    clock = Clock(DEFAULTS)
    restarts = [clock.next(EXITED) for _ in range(3000)]
    pauses_s = [each.pause_s for each in restarts if isinstance(each, Restart)]
    assert len(pauses_s) == len(restarts)
    assert pauses_s[-1] == DEFAULTS.max_pause_s == max(pauses_s)


@pytest.mark.parametrize("crash", [EXITED, [ALIVE_NOT_READY, NOT_ANSWERING]], ids=["exited", "hung"])
def test_crash_before_the_first_readiness_is_no_reason_to_give_up(crash: Snapshot | list[Snapshot]) -> None:
    policy = Policy(0, LIMITS)
    snapshots = crash if isinstance(crash, list) else [crash]
    actions = [policy.next(snapshot, 5.0 * second) for second, snapshot in enumerate(snapshots, start=1)]
    assert isinstance(actions[-1], Restart)


def test_restarts_are_forgotten_after_a_stable_time(clock: Clock) -> None:
    for _ in range(10):
        restart = clock.next(EXITED)
        assert isinstance(restart, Restart)
        assert restart.pause_s == 0
        assert clock.actions(61, READY) == []


def test_restarts_are_counted_while_the_server_is_not_stable(clock: Clock) -> None:
    for _ in range(3):
        assert isinstance(clock.next(EXITED), Restart)
        assert clock.actions(20, READY) == []
    assert isinstance(clock.next(EXITED), GiveUp)


def test_server_that_was_never_ready_is_not_restarted() -> None:
    policy = Policy(0, LIMITS)
    assert policy.next(NOT_ANSWERING, 1) is None
    action = policy.next(replace(EXITED, exit_code=1), 2)
    assert action == GiveUp("tritonserver exited with code 1, before it was ever ready; its log says why")


@pytest.mark.parametrize(
    ("snapshot", "ready"),
    [
        (READY, True),
        (with_canaries(both=BROKEN), False),
        (with_canaries(both=SILENT), False),
        (replace(READY, dead=frozenset({"network"})), False),
        (replace(READY, unready=frozenset({"rank"})), False),
        (replace(READY, alive=False), False),
        (replace(READY, exit_code=0), False),
        (Snapshot(), False),
    ],
)
def test_is_ready(snapshot: Snapshot, ready: bool) -> None:
    assert snapshot.is_ready is ready
