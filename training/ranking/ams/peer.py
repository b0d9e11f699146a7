"""Calls between the parts of a training job, all of them metered. The parts run in this process, or as Ray actors."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from .meter import Link, Meter

# Longest wait for one call.
CALL_TIMEOUT_S: Final = 60.0


class PeerLost(RuntimeError):
    """A part died, or did not answer in time."""


class Peer(ABC):
    """Another part of the job.

    Args:
        name: Its name in the byte meter.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def call(self, meter: Meter, caller: str, method: str, *arguments: Any) -> Any:
        """Call a method and count the arguments; returns a reference to the result.

        A reference as an argument goes from where its value is to this part, not through the caller.
        """
        meter.count(Link(method, caller, self.name), *arguments)
        return self._call(method, arguments)

    @abstractmethod
    def wait(self, reference: Any, timeout_s: float = CALL_TIMEOUT_S) -> Any:
        """Return the value of a reference.

        Raises:
            PeerLost: The part died or did not answer in time.
        """

    @abstractmethod
    def _call(self, method: str, arguments: Sequence[Any]) -> Any: ...


def results(meter: Meter, caller: str, method: str, peers: Sequence[Peer], references: Sequence[Any]) -> list[Any]:
    """Wait for the results of one call to each peer, and count them.

    Raises:
        PeerLost: A peer died or did not answer in time.
    """
    values = [peer.wait(reference) for peer, reference in zip(peers, references, strict=True)]
    for peer, value in zip(peers, values, strict=True):
        meter.count(Link(method, peer.name, caller), value)
    return values


@dataclass(frozen=True)
class Value:
    """A reference to a value of this process."""

    value: Any


class LocalPeer(Peer):
    """A part in this process: the reference that needs no cluster."""

    def __init__(self, name: str, kind: type, *arguments: Any) -> None:
        super().__init__(name)
        self._part = kind(*arguments)

    def wait(self, reference: Value, timeout_s: float = CALL_TIMEOUT_S) -> Any:
        return reference.value

    def _call(self, method: str, arguments: Sequence[Any]) -> Value:
        values = [each.value if isinstance(each, Value) else each for each in arguments]
        return Value(getattr(self._part, method)(*values))
