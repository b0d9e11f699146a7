"""What travels between client and server, and the one method a transport has."""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol


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
    """One inference: inputs, the outputs wanted, the seconds it may take from end to end, its name in logs."""

    model: str
    inputs: tuple[BytesTensor, ...]
    outputs: tuple[str, ...]
    timeout_s: float
    request_id: str = ""


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
    GARBLED = auto()
    FAILED = auto()


class TransportError(Exception):
    """Why a transport has no response; the client turns it into the caller's error."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def refused_status(message: str) -> Status:
    """Tells a server that takes no more now from one that is not there: both say 503 or UNAVAILABLE."""
    crowded = any(words in message for words in ("overloaded", "maximum queue size", "Request timeout expired"))
    return Status.OVERLOADED if crowded else Status.UNAVAILABLE


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
