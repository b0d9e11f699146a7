"""What travels between client and server, and the one method a transport has."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, Protocol


@dataclass(frozen=True, slots=True)
class BytesTensor:
    """One BYTES input of shape [1,1]. It never shows its value: that is somebody's avatar or nickname."""

    name: str
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FloatTensor:
    """One FP32 output: its shape with the batch dimension, and its values in row-major order."""

    name: str
    shape: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceRequest:
    """One inference: inputs, the seconds it may take from end to end, its name in logs. All outputs come back.

    `headers` travel beside it, with lower-case names: the context of a trace, say.
    """

    model: str
    inputs: tuple[BytesTensor, ...]
    timeout_s: float
    request_id: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceResponse:
    """The answer, and the model and version that gave it."""

    model: str
    version: str
    outputs: tuple[FloatTensor, ...]


class Status(Enum):
    """How an inference fails, whichever protocol carried it."""

    INVALID_ARGUMENT = auto()
    DEADLINE_EXCEEDED = auto()
    UNAVAILABLE = auto()
    OVERLOADED = auto()
    NOT_FOUND = auto()
    DENIED = auto()
    TOO_LARGE = auto()
    GARBLED = auto()
    FAILED = auto()


class TransportError(Exception):
    """Why a transport has no response; the client turns it into the caller's error."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


# What Triton, and nginx before it, say with a code that means more than one thing.
_CROWDED: Final = ("overloaded", "maximum queue size", "Request timeout expired")
_LOCKED: Final = ("This protocol is restricted",)
_DEAD: Final = ("Stub process", "stub process")
_LOADING: Final = ("has no available versions",)
_LARGE: Final = ("larger than max", "too large")


def refined(status: Status, message: str) -> Status:
    """The status that the server's words tell from others of the same code.

    Who takes no more now and who is not there both say 503 or UNAVAILABLE; a model whose process died says 500 or
    INTERNAL, as one that failed at its work does; a model that is being loaded or unloaded is "not found".
    """
    for coarse, words, fine in (
        (Status.UNAVAILABLE, _CROWDED, Status.OVERLOADED),
        (Status.UNAVAILABLE, _LOCKED, Status.DENIED),
        (Status.FAILED, _DEAD, Status.UNAVAILABLE),
        (Status.NOT_FOUND, _LOADING, Status.UNAVAILABLE),
        (Status.OVERLOADED, _LARGE, Status.TOO_LARGE),
    ):
        if status is coarse and any(each in message for each in words):
            return fine
    return status


class Transport(Protocol):
    """Carries requests to a server; safe to use from several threads."""

    def infer(self, request: InferenceRequest) -> InferenceResponse:
        """Sends `request` and waits at most `request.timeout_s`. Raises TransportError."""

    def close(self) -> None:
        """Closes every connection; closing twice does nothing."""


class AsyncTransport(Protocol):
    """Carries requests to a server, for the tasks of one event loop."""

    async def infer(self, request: InferenceRequest) -> InferenceResponse:
        """Sends `request` and waits at most `request.timeout_s`; cancelled, it tells the server where the protocol can.

        Raises TransportError.
        """

    async def close(self) -> None:
        """Closes every connection; closing twice does nothing."""
