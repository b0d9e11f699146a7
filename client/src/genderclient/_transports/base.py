"""Requests, responses, failures, and the one method that a transport has."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, Protocol

from genderclient._transports.tensors import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceRequest:
    """One inference of one model; the response carries all outputs of the model.

    Args:
        model: The model's name in the server's repository.
        inputs: The input tensors.
        timeout_s: Seconds from the start of sending to the end of the response.
        request_id: Identifies the request in Triton's log.
        version: The version of the model. If it is empty, the server chooses.
        headers: Sent along, for example the context of a trace. Names are lower case, as gRPC requires.
        tried: The servers that this request, its retries and its hedge have been sent to, which share this list.
    """

    model: str
    inputs: tuple[Tensor, ...]
    timeout_s: float
    request_id: str = ""
    version: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    tried: list[int] = field(default_factory=list, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceResponse:
    """The outputs, with the model and version that computed them."""

    model: str
    version: str
    outputs: tuple[Tensor, ...]


class Status(Enum):
    """Why an inference failed, independent of the protocol."""

    INVALID_ARGUMENT = auto()
    DEADLINE_EXCEEDED = auto()
    UNAVAILABLE = auto()
    UNTRUSTED = auto()
    OVERLOADED = auto()
    NOT_FOUND = auto()
    DENIED = auto()
    TOO_LARGE = auto()
    GARBLED = auto()
    FAILED = auto()


class TransportError(Exception):
    """A transport has no response. The client raises the matching `GenderClientError` instead."""

    def __init__(self, status: Status, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after_s = retry_after_s


# Phrases of Triton and nginx that tell apart failures with the same code.
_REFINEMENTS: Final = (
    (Status.UNAVAILABLE, ("overloaded", "maximum queue size", "Request timeout expired"), Status.OVERLOADED),
    (Status.UNAVAILABLE, ("This protocol is restricted",), Status.DENIED),
    (Status.UNAVAILABLE, ("CERTIFICATE_VERIFY_FAILED", "certificate verify failed"), Status.UNTRUSTED),
    (Status.UNAVAILABLE, ("Hostname Verification Check failed", "Peer name"), Status.UNTRUSTED),
    (Status.OVERLOADED, ("CLIENT: Received message larger than max",), Status.GARBLED),
    (Status.FAILED, ("Stub process", "stub process"), Status.UNAVAILABLE),
    (Status.NOT_FOUND, ("has no available versions",), Status.UNAVAILABLE),
    (Status.OVERLOADED, ("larger than max", "too large"), Status.TOO_LARGE),
)


def refine_status(status: Status, message: str) -> Status:
    """Returns the more specific status that the server's message reveals, else `status`.

    An overloaded server and a missing one both respond with 503 or UNAVAILABLE. A model whose process died responds
    with 500 or INTERNAL, like a model that failed. A model that is being loaded or unloaded is "not found".
    """
    for coarse, phrases, refined in _REFINEMENTS:
        if status is coarse and any(phrase in message for phrase in phrases):
            return refined
    return status


def parse_delay(text: str, *, unknown: float = 0.0) -> float:
    """The number of a header such as Retry-After. `unknown` for any other text, such as a date."""
    text = text.strip()
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 10 else unknown


class Transport(Protocol):
    """Sends requests to one server. Thread-safe."""

    def infer(self, request: InferenceRequest) -> InferenceResponse:
        """Waits at most `request.timeout_s` for the response. Raises TransportError if there is none."""

    def close(self) -> None:
        """Closes all connections. Closing twice has no effect."""


class AsyncTransport(Protocol):
    """Sends requests to one server, for the tasks of one event loop."""

    async def infer(self, request: InferenceRequest) -> InferenceResponse:
        """Waits at most `request.timeout_s` for the response. Raises TransportError if there is none."""

    async def close(self) -> None:
        """Closes all connections. Closing twice has no effect."""
