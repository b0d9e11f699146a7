"""What the supervisor does after what it has seen; the clock is a number."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from server.supervisor.policy import (
    Action,
    Canary,
    GiveUp,
    Limits,
    Observation,
    Policy,
    Restart,
    Revive,
    Verdict,
    Wait,
)

LIMITS = Limits(
    start_s=100, hang_s=4, broken_s=3, stuck_s=15, revivals=2, restarts=3, first_pause_s=1, max_pause_s=3, stable_s=60
)
STEPS = {"both": ("prepare", "network"), "other": ("prepare", "small")}
ANSWERED = Canary(Verdict.ANSWERED, 0.01)
BROKEN = Canary(Verdict.BROKEN, 0.01)
SILENT = Canary(Verdict.SILENT, 2.0)
WELL = Observation(canaries=dict.fromkeys(STEPS, ANSWERED))
LOADING = Observation(alive=False)
ENDED = Observation(exit_code=-6)


def fares(counts: Mapping[str, int] | None = None, **canaries: Canary) -> Observation:
    return replace(WELL, canaries={**WELL.canaries, **canaries}, answered=counts or {})


class Story:
    """A policy and its clock; the server is well at second 0."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._policy = Policy(STEPS, 0.0, LIMITS)
        assert self.see(WELL) == Wait()

    def see(self, seen: Observation, after_s: float = 0.5) -> Action:
        self.now_s += after_s
        return self._policy.next(seen, self.now_s)

    def lost(self, model: str) -> Action:
        return self._policy.lost((model,), self.now_s)

    def see_for(self, seconds: float, seen: Observation) -> list[Action]:
        """The actions, but for waiting, while always the same is seen."""
        actions = [self.see(seen) for _ in range(int(seconds / 0.5))]
        return [action for action in actions if action != Wait()]


@pytest.fixture
def story() -> Story:
    return Story()


def test_ensembles_come_and_go() -> None:
    policy = Policy(STEPS, 0.0, LIMITS)
    assert policy.next(WELL, 0.5) == Wait()
    policy.follow({"both": STEPS["both"], "canary": ("prepare", "new")}, 10.0)
    seen = Observation(canaries={"both": ANSWERED, "canary": BROKEN})
    assert [policy.next(seen, now_s) for now_s in (10.5, 12.5)] == [Wait(), Wait()]  # its patience begins now
    assert policy.next(seen, 13.5) == Revive(("new", "prepare"), unload=False)
    policy.follow({"both": STEPS["both"]}, 14.0)
    assert policy.next(Observation(canaries={"both": ANSWERED}), 14.5) == Wait()


def test_a_server_that_is_well_is_left_alone(story: Story) -> None:
    assert story.see_for(1000, WELL) == []


def test_a_model_that_lacks_a_stub_is_loaded_anew_at_once(story: Story) -> None:
    assert story.see(replace(WELL, canaries={}, dead=frozenset({"network"}))) == Revive(("network",), unload=False)
    assert story.see_for(100, WELL) == []


def test_so_is_the_model_that_an_error_names(story: Story) -> None:
    assert story.see(fares(both=replace(BROKEN, suspect="prepare"))) == Revive(("prepare",), unload=False)


def test_what_does_not_help_is_followed_by_more(story: Story) -> None:
    dead = replace(WELL, canaries={}, dead=frozenset({"network"}))
    first, second, third = (story.see(dead) for _ in range(3))
    assert first == Revive(("network",), unload=False)
    assert second == Revive(("network",), unload=True)
    assert third == Restart("network: loading anew did not help", at_once=False, pause_s=0)
    # Of the next server nothing is known.
    assert story.see(dead) == Revive(("network",), unload=False)


def test_models_that_cannot_be_loaded_again_are_not_waited_for(story: Story) -> None:
    assert story.lost("network") == Restart("network: could not be loaded again", at_once=False, pause_s=0)
    assert [story.lost("network") for _ in range(3)][-1] == GiveUp(
        "network: could not be loaded again; restarted 3 times in vain"
    )


def test_other_models_have_their_own_tries(story: Story) -> None:
    for model in ("network", "small", "prepare"):
        assert story.see(replace(WELL, dead=frozenset({model}))) == Revive((model,), unload=False)


def test_tries_are_forgotten_after_a_stable_time(story: Story) -> None:
    dead = replace(WELL, dead=frozenset({"network"}))
    for _ in range(5):
        assert story.see(dead) == Revive(("network",), unload=False)
        assert story.see_for(61, WELL) == []


def test_an_error_that_names_nobody_has_to_last(story: Story) -> None:
    assert story.see_for(2, fares(both=BROKEN)) == []
    assert story.see_for(10, WELL) == []
    assert story.see_for(3, fares(both=BROKEN)) == [Revive(("network", "prepare"), unload=False)]


def test_a_crowd_is_no_fault(story: Story) -> None:
    for answered in range(200):
        busy = fares({"both": answered, "other": answered}, both=SILENT, other=SILENT)
        assert story.see(busy, after_s=2.0) == Wait()


def test_silence_without_progress_is_one(story: Story) -> None:
    counts = {"both": 5, "other": 5}
    assert story.see_for(14, fares(counts, both=SILENT)) == []
    assert story.see_for(2, fares(counts, both=SILENT)) == [Revive(("network", "prepare"), unload=False)]


def test_a_server_that_ended_is_replaced_at_once(story: Story) -> None:
    reason = "tritonserver ended by itself with exit code -6"
    assert story.see(ENDED) == Restart(reason, at_once=True, pause_s=0)


def test_a_server_that_answers_nothing_is_killed(story: Story) -> None:
    assert story.see_for(3.5, LOADING) == []
    assert story.see(LOADING) == Restart("tritonserver answers nothing after 4.0 s", at_once=True, pause_s=0)


def test_a_loading_server_may_take_longer(story: Story) -> None:
    story.see(ENDED)
    assert story.see_for(99, LOADING) == []
    (restart,) = story.see_for(1.5, LOADING)
    assert restart == Restart("tritonserver is not ready after 100.0 s", at_once=True, pause_s=1)


def test_pauses_grow_up_to_a_limit_and_then_it_gives_up(story: Story) -> None:
    actions = [story.see(ENDED) for _ in range(4)]
    assert [each.pause_s for each in actions[:3] if isinstance(each, Restart)] == [0, 1, 2]
    assert actions[3] == GiveUp("tritonserver ended by itself with exit code -6; restarted 3 times in vain")


def test_pauses_have_a_limit() -> None:
    policy = Policy(STEPS, 0, replace(LIMITS, restarts=10))
    policy.next(WELL, 0)
    pauses = [each.pause_s for each in (policy.next(ENDED, 1) for _ in range(6)) if isinstance(each, Restart)]
    assert pauses == [0, 1, 2, 3, 3, 3]


def test_restarts_are_forgotten_after_a_stable_time(story: Story) -> None:
    for _ in range(10):
        restart = story.see(ENDED)
        assert isinstance(restart, Restart)
        assert restart.pause_s == 0
        assert story.see_for(61, WELL) == []


def test_answering_for_a_moment_is_not_stable(story: Story) -> None:
    for _ in range(3):
        assert isinstance(story.see(ENDED), Restart)
        assert story.see_for(20, WELL) == []
    assert isinstance(story.see(ENDED), GiveUp)


def test_a_server_that_never_answered_is_not_started_again() -> None:
    policy = Policy(STEPS, 0, LIMITS)
    assert policy.next(LOADING, 1) == Wait()
    action = policy.next(replace(ENDED, exit_code=1), 2)
    assert action == GiveUp("tritonserver ended by itself with exit code 1, before it ever answered; its log says why")


@pytest.mark.parametrize(
    ("seen", "ready"),
    [
        (WELL, True),
        (fares(both=BROKEN), False),
        (fares(both=SILENT), False),
        (replace(WELL, dead=frozenset({"network"})), False),
        (replace(WELL, alive=False), False),
        (replace(WELL, exit_code=0), False),
        (Observation(), False),
    ],
)
def test_ready_is_what_the_canaries_say(seen: Observation, ready: bool) -> None:
    assert seen.is_ready is ready
