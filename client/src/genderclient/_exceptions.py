"""Errors.

GenderClientError
├── InvalidInput            also a ValueError; the same input fails again
│   ├── InvalidAvatar
│   ├── InvalidNickname
│   └── InvalidPicture
├── DeadlineExceeded        also a TimeoutError
├── Unavailable             also a ConnectionError
│   └── Overloaded          the server rejects requests for now
├── ModelNotFound
├── AccessDenied            also a PermissionError
├── ServerError             the model failed
├── HistoryUnavailable      also a ConnectionError; the store of liked pictures failed
└── ProtocolError           server and client do not match

An argument of a wrong type raises TypeError.
"""

# The names say what happened, as in httpx and grpc, so they do not end in "Error".

import re
from typing import Final

from genderclient._transports.base import InferenceRequest, Status, TransportError


class GenderClientError(Exception):
    """The base of all errors.

    Attributes:
        model: The requested model, None if no request was sent.
        attempts: How often the request was sent.
        request_id: The id in Triton's log.
    """

    def __init__(self, message: str, *, model: str | None = None, attempts: int = 0, request_id: str = "") -> None:
        times = f" (sent {attempts} times)" if attempts > 1 else ""
        super().__init__((message if model is None else f"{model}: {message}") + times)
        self.model = model
        self.attempts = attempts
        self.request_id = request_id


class InvalidInput(GenderClientError, ValueError):
    """An input cannot be used."""


class InvalidAvatar(InvalidInput):
    """The avatar is not an image within the limits, or cannot be read."""


class InvalidNickname(InvalidInput):
    """The nickname is not text within the limits."""


class InvalidPicture(InvalidInput):
    """The picture is not an image within the limits, or cannot be read."""


class DeadlineExceeded(GenderClientError, TimeoutError):
    """There was no response within `timeout_s`."""


class Unavailable(GenderClientError, ConnectionError):
    """No server could be reached."""


class Overloaded(Unavailable):
    """The server rejects requests for now. Send fewer at once, or retry later."""


class ModelNotFound(GenderClientError):
    """The server has no such model."""


class AccessDenied(GenderClientError, PermissionError):
    """The server rejects the client's credentials, or does not allow this model."""


class ServerError(GenderClientError):
    """The server failed to process the request."""


class HistoryUnavailable(GenderClientError, ConnectionError):
    """The store of liked pictures failed or could not be reached."""


class ProtocolError(GenderClientError):
    """The request or the response violates the contract: client and model are of different releases."""


_REJECTED_INPUTS: Final = {
    **{"AVATAR": InvalidAvatar, "NICKNAME": InvalidNickname, "PICTURE": InvalidPicture},
    **dict.fromkeys(
        ("TITLE", "PICTURE_ID", "K", "HISTORY", "CANDIDATES", "SEED", "EMBEDDING", "PROBABILITIES"), InvalidInput
    ),
}
_REJECTION: Final = re.compile(rf"\b({'|'.join(_REJECTED_INPUTS)}): (.+)", re.DOTALL)


def error_for(failure: TransportError, request: InferenceRequest, *, attempts: int = 1) -> GenderClientError:
    """Returns the error for the caller: what happened, and what to do."""
    kind, message = _describe(failure.status, failure.message, request)
    return kind(message, model=request.model, attempts=attempts, request_id=request.request_id)


def _describe(status: Status, reason: str, request: InferenceRequest) -> tuple[type[GenderClientError], str]:
    match status:
        case Status.INVALID_ARGUMENT:
            return _describe_rejection(reason)
        case Status.DEADLINE_EXCEEDED:
            return DeadlineExceeded, f"no response within {request.timeout_s:g} s; raise timeout_s"
        case Status.UNAVAILABLE:
            return Unavailable, f"{reason}; is Triton running? Start it with `make serve`"
        case Status.UNTRUSTED:
            return Unavailable, f"{reason}; the certificate is not trusted: pass its authority as Tls(ca_file=…)"
        case Status.OVERLOADED:
            return Overloaded, f"{reason}; send fewer requests at once, or retry later"
        case Status.NOT_FOUND:
            return ModelNotFound, f"{reason}; check the name and the server's model repository"
        case Status.DENIED:
            return AccessDenied, f"{reason}; check the token and its permissions"
        case Status.TOO_LARGE:
            return (InvalidPicture if _has_picture(request) else InvalidAvatar), f"{reason}; send a smaller picture"
        case Status.GARBLED:
            return ProtocolError, f"{reason}; is this address a Triton server?"
        case Status.FAILED:
            return ServerError, f"{reason}; see the server's log"


def _describe_rejection(reason: str) -> tuple[type[GenderClientError], str]:
    """Distinguishes a rejected input from a request that does not match the model."""
    if rejection := _REJECTION.search(reason):
        return _REJECTED_INPUTS[rejection[1]], f"rejected by the server: {rejection[0]}"
    return ProtocolError, f"{reason}; use a model for this question, and a client of the same release"


def _has_picture(request: InferenceRequest) -> bool:
    return any(tensor.name == "PICTURE" for tensor in request.inputs)
