"""A part that dies in the middle of a step: the step is retried or refused, and nothing is lost or counts twice."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from tests.training.ranking.ams.jobs import COMPRESSION, ROWS, Files, write_files
from training.ranking.ams.job import Job, Layout
from training.ranking.ams.peer import LocalPeer, PeerLost
from training.ranking.ams.replica import Replica, StepRefused, Ticket
from training.ranking.ams.trainer import StepFailed, Trainer

SERVERS = 3
STEP = 2


class FlakyPeer(LocalPeer):
    """A part that dies once at step 2, before or after it carries out a method, and is restarted without its state."""

    def __init__(self, dies_at: tuple[str, str, str], name: str, kind: type, *arguments: Any) -> None:
        super().__init__(name, kind, *arguments)
        self.restart: Callable[[], Any] = lambda: kind(*arguments)
        victim, self.method, self.moment = dies_at
        self.dies = victim == name

    def _call(self, method: str, arguments: Sequence[Any]) -> Any:
        if self.dies and method == self.method and arguments[0].step == STEP:
            self.dies = False
            if self.moment == "after":
                super()._call(method, arguments)
            self._part = self.restart()
            raise PeerLost(self.name)
        return super()._call(method, arguments)


class DeadPeer(LocalPeer):
    """A part that can be stopped for good."""

    dead = False

    def _call(self, method: str, arguments: Sequence[Any]) -> Any:
        if self.dead:
            raise PeerLost(self.name)
        return super()._call(method, arguments)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return write_files(tmp_path_factory.mktemp("ams"))


def start(files: Files, layout: Layout, make: Any = LocalPeer) -> Trainer:
    return Job(layout, files.vectors, files.samples, COMPRESSION, SERVERS).start(make)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    ("layout", "victim", "method"),
    [
        *((Layout.AMS, "server 1", method) for method in ("begin", "embed", "update", "part", "reduce", "apply")),
        (Layout.AMS, "worker 0", "compute"),
        *((Layout.RAW, "worker 0", method) for method in ("compute", "part", "apply")),
    ],
)
def test_step_in_which_a_part_dies_is_retried(
    layout: Layout, victim: str, method: str, moment: str, files: Files
) -> None:
    def make(*arguments: Any) -> FlakyPeer:
        return FlakyPeer((victim, method, moment), *arguments)

    flaky, sound = start(files, layout, make), start(files, layout)
    for rows in ROWS:
        assert flaky.step(rows) == pytest.approx(sound.step(rows), abs=1e-6)
    assert flaky.retries == 1
    np.testing.assert_allclose(flaky.compressor(), sound.compressor(), atol=1e-6)
    np.testing.assert_allclose(flaky.towers.theta, sound.towers.theta, atol=1e-6)


def test_server_that_does_not_come_back_refuses_the_step(files: Files) -> None:
    peers: dict[str, DeadPeer] = {}

    def make(name: str, *arguments: Any) -> DeadPeer:
        return peers.setdefault(name, DeadPeer(name, *arguments))

    trainer = start(files, Layout.AMS, make)
    trainer.restart_timeout_s = 0.2
    trainer.step(ROWS[0])
    before = trainer.compressor(), trainer.towers.theta.copy()
    peers["server 2"].dead = True
    with pytest.raises(StepFailed, match="server 2 did not come back"):
        trainer.step(ROWS[1])
    np.testing.assert_array_equal(trainer.compressor(), before[0])
    np.testing.assert_array_equal(trainer.towers.theta, before[1])
    peers["server 2"].dead = False
    trainer.step(ROWS[1])
    assert trainer.towers.steps == 2


def test_loss_of_all_replicas_is_not_taken_for_a_start(files: Files) -> None:
    trainer = start(files, Layout.AMS)
    trainer.step(ROWS[0])
    for replica in trainer._replicas:
        assert isinstance(replica, LocalPeer)
        replica._part = Replica(replica.name, COMPRESSION, 0)
    with pytest.raises(StepFailed, match="no replica has the state of step 1"):
        trainer.step(ROWS[1])
    assert trainer.towers.steps == 1


@pytest.fixture
def replica() -> Replica:
    replica = Replica("server 0", COMPRESSION, 0)
    replica.begin(Ticket(1, 0))
    replica.forward(Ticket(1, 0), "worker 0", np.ones((2, COMPRESSION.sizes[0]), np.float32))
    return replica


def test_restarted_replica_refuses_a_later_step(replica: Replica) -> None:
    with pytest.raises(StepRefused, match="at step 0, cannot begin step 2"):
        replica.begin(Ticket(2, 0))


def test_gradients_of_an_earlier_attempt_are_refused(replica: Replica) -> None:
    replica.begin(Ticket(1, 1))
    with pytest.raises(StepRefused, match="expected Ticket"):
        replica.backward(Ticket(1, 0), "worker 0", np.ones((2, COMPRESSION.sizes[-1]), np.float32))


def test_gradient_is_not_shared_before_all_workers_sent_theirs(replica: Replica) -> None:
    with pytest.raises(StepRefused, match="waits for the gradients of worker 0"):
        replica.part(Ticket(1, 0), 0, 3)
