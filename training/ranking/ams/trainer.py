"""Synchronous training over several parts: a step is applied by all replicas, or by none."""

import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from ...arrays import FloatsD, IntsN
from .adam import Adam
from .meter import Meter
from .peer import Peer, PeerLost, results
from .replica import StepRefused, Ticket

ATTEMPTS: Final = 3
# Pause between two questions to a part that is restarting.
_RESTART_POLL_S: Final = 0.1
_RECOVERABLE: Final = (PeerLost, StepRefused)
NAME: Final = "trainer"


class StepFailed(RuntimeError):
    """A step was refused; the trainer is at the step before."""


class Trainer:
    """Trains the towers here and the compressor in its replicas.

    Ray restarts a part that dies. Workers and raw vectors have no state to lose. A replica that comes back copies the
    state of the furthest one. If that one has applied the step, all then have; else the step is retried.

    Args:
        workers: The workers.
        servers: The servers.
        replicas: Those of them that have a copy of the compressor.
        theta: The first parameters of the towers.
        restart_timeout_s: Longest wait for an actor to come back.
    """

    def __init__(
        self,
        workers: Sequence[Peer],
        servers: Sequence[Peer],
        replicas: Sequence[Peer],
        theta: FloatsD,
        restart_timeout_s: float = 30.0,
    ) -> None:
        self.meter = Meter()
        self.retries = 0
        self.towers = Adam.start(theta)
        self._workers = workers
        self._servers = servers
        self._replicas = replicas
        self.restart_timeout_s = restart_timeout_s

    def step(self, rows: Sequence[IntsN]) -> float:
        """Train on some rows of each worker's samples, and return the loss before the step.

        Raises:
            StepFailed: Every attempt failed, a part did not come back, or the compressor's state is lost.
        """
        computed = None
        for attempt in range(ATTEMPTS):
            ticket = Ticket(self.towers.steps + 1, attempt)
            try:
                computed = self._compute(ticket, rows)
                self._all_reduce(ticket)
            except _RECOVERABLE:
                self.retries += 1
                applied = self._recover() == ticket.step
            else:
                applied = True
            if applied and computed:
                loss, gradient = computed
                self.towers.apply(gradient)
                return loss
        raise StepFailed(f"step {self.towers.steps + 1} failed {ATTEMPTS} times")

    def compressor(self) -> FloatsD:
        """Return the parameters of the compressor."""
        theta: FloatsD = self._ask(self._replicas[:1], "state", [()])[0].theta
        return theta

    def metered(self) -> Meter:
        """Return what all parts have counted since they started."""
        parts = (*self._workers, *self._servers)
        meters: list[Meter] = self._ask(parts, "metered", [()] * len(parts))
        return sum(meters, self.meter)

    def _compute(self, ticket: Ticket, rows: Sequence[IntsN]) -> tuple[float, FloatsD]:
        """Return the loss and the gradient of the towers; the replicas then hold that of the compressor."""
        self._ask(self._replicas, "begin", [(ticket,)] * len(self._replicas))
        batch = sum(map(len, rows))
        arguments = [(ticket, each, self.towers.theta, batch) for each in rows]
        losses, gradients = zip(*self._ask(self._workers, "compute", arguments), strict=True)
        return sum(losses), np.sum(gradients, axis=0)

    def _all_reduce(self, ticket: Ticket) -> None:
        """Each replica sums one part of the gradient and takes the sums of the others."""
        count = len(self._replicas)
        names = [replica.name for replica in self._replicas]
        parts = [
            [replica.call(self.meter, NAME, "part", ticket, index, count) for replica in self._replicas]
            for index in range(count)
        ]
        sums = [
            replica.call(self.meter, NAME, "reduce", ticket, names, *of_all)
            for replica, of_all in zip(self._replicas, parts, strict=True)
        ]
        self._ask(self._replicas, "apply", [(ticket, names, *sums)] * count)

    def _recover(self) -> int:
        """Bring all replicas to the state of the furthest one, and return its step.

        Raises:
            StepFailed: A part did not come back, or all replicas lost their state.
        """
        for peer in (*self._workers, *self._servers):
            self._wait_for(peer)
        try:
            return self._synchronize()
        except PeerLost as exc:
            raise StepFailed("another part died during the recovery") from exc

    def _synchronize(self) -> int:
        steps: list[int] = self._ask(self._replicas, "steps", [()] * len(self._replicas))
        furthest = int(np.argmax(steps))
        if steps[furthest] < self.towers.steps:
            raise StepFailed(f"no replica has the state of step {self.towers.steps}; start from a saved one")
        source = self._replicas[furthest]
        state = source.call(self.meter, NAME, "state")
        behind = [replica for replica, step in zip(self._replicas, steps, strict=True) if step < steps[furthest]]
        self._ask(behind, "load", [(source.name, state)] * len(behind))
        return steps[furthest]

    def _wait_for(self, peer: Peer) -> None:
        """Wait until a part that may be restarting answers."""
        deadline_s = time.monotonic() + self.restart_timeout_s
        while True:
            try:
                peer.wait(peer.call(self.meter, NAME, "metered"), self.restart_timeout_s)
                return
            except PeerLost as exc:
                if time.monotonic() > deadline_s:
                    raise StepFailed(f"{peer.name} did not come back within {self.restart_timeout_s:g} s") from exc
                time.sleep(_RESTART_POLL_S)

    def _ask(self, peers: Sequence[Peer], method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        references = [peer.call(self.meter, NAME, method, *each) for peer, each in zip(peers, arguments, strict=True)]
        return results(self.meter, NAME, method, peers, references)
