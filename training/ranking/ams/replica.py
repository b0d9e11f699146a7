"""A copy of the compressor that stays equal to the others: all replicas apply the same summed gradient."""

from typing import Any, NamedTuple

import numpy as np

from ...arrays import FloatsD, FloatsND, FloatsNK
from .adam import Adam
from .compression import Compression, Step
from .meter import Link, Meter


class Ticket(NamedTuple):
    """An attempt at a training step. Calls with an earlier ticket are refused, so nothing counts twice."""

    step: int
    attempt: int


class StepRefused(RuntimeError):
    """A replica is at another step or attempt than its caller; nothing was changed."""


class Replica:
    """One copy of the compressor.

    A step is `begin`, any number of forward passes each followed by its backward pass, then the all-reduce: `part`,
    `reduce` and `apply`. Only `apply` changes parameters.

    Args:
        name: Its name in the byte meter.
        compression: The compressor.
        seed: Of the first parameters; the same for all replicas.
    """

    def __init__(self, name: str, compression: Compression, seed: int) -> None:
        self.name = name
        self.meter = Meter()
        self._compression = compression
        self._adam = Adam.start(compression.initial(seed))
        self._ticket: Ticket | None = None
        self._open: dict[str, list[Step]] = {}
        self._gradient = np.zeros_like(self._adam.theta)

    def begin(self, ticket: Ticket) -> None:
        """Start an attempt and forget any unfinished one.

        Raises:
            StepRefused: This replica did not take the step before, for example because it was restarted.
        """
        if ticket.step != self._adam.steps + 1:
            raise StepRefused(f"{self.name} is at step {self._adam.steps}, cannot begin step {ticket.step}")
        self._ticket = ticket
        self._open = {}
        self._gradient[:] = 0

    def forward(self, ticket: Ticket, caller: str, raw: FloatsND) -> FloatsNK:
        """Compress the raw vectors `[N, D]` of a caller."""
        self._check(ticket)
        vectors, self._open[caller] = self._compression.forward(self._adam.theta, raw)
        return vectors

    def backward(self, ticket: Ticket, caller: str, gradient: FloatsNK) -> None:
        """Add the vector-Jacobian product of the caller's last forward pass to the gradient."""
        self._check(ticket)
        self._gradient += self._compression.backward(self._adam.theta, self._open.pop(caller), gradient)

    def part(self, ticket: Ticket, index: int, count: int) -> FloatsD:
        """Return one of `count` parts of this replica's gradient.

        Raises:
            StepRefused: A caller has not sent the gradient of its vectors.
        """
        self._check(ticket)
        if self._open:
            raise StepRefused(f"{self.name} waits for the gradients of {', '.join(sorted(self._open))}")
        part: FloatsD = np.array_split(self._gradient, count)[index]
        return part

    def reduce(self, ticket: Ticket, replicas: list[str], *parts: FloatsD) -> FloatsD:
        """Sum one part of the gradient over all replicas."""
        self._check(ticket)
        self._count_received(replicas, parts)
        total: FloatsD = np.sum(parts, axis=0)
        return total

    def apply(self, ticket: Ticket, replicas: list[str], *sums: FloatsD) -> None:
        """Take the optimizer's step with the summed gradient, which comes in parts."""
        self._check(ticket)
        self._count_received(replicas, sums)
        self._ticket = None
        self._adam.apply(np.concatenate(sums))

    def steps(self) -> int:
        """Return the number of steps taken."""
        return self._adam.steps

    def state(self) -> Adam:
        """Return parameters and optimizer state."""
        return self._adam

    def load(self, source: str, state: Adam) -> None:
        """Continue from another replica's state."""
        self.meter.count(Link("load", source, self.name), state.theta, state.first, state.second)
        self._adam = Adam(state.theta.copy(), state.first.copy(), state.second.copy(), state.steps, state.rate)
        self._ticket = None

    def metered(self) -> Meter:
        """Return what was counted so far."""
        return self.meter

    def _check(self, ticket: Ticket) -> None:
        if ticket != self._ticket:
            raise StepRefused(f"{self.name} expected {self._ticket}, got {ticket}")

    def _count_received(self, replicas: list[str], arrays: Any) -> None:
        for source, array in zip(replicas, arrays, strict=True):
            if source != self.name:
                self.meter.count(Link("all-reduce", source, self.name), array)
