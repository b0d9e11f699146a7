"""Every error that `genderclient` raises for the world's faults, and the one place that makes them.

GenderClientError
├── InvalidInput            also a ValueError; sending the same input again will not help
│   ├── InvalidAvatar
│   └── InvalidNickname
├── DeadlineExceeded        also a TimeoutError
├── Unavailable             also a ConnectionError
│   └── Overloaded          the server is there, and takes no more now
├── ModelNotFound
├── AccessDenied            also a PermissionError
├── ServerError             the model failed
└── ProtocolError           the server does not speak this client's contract

An argument of a type that is never accepted is a `TypeError`.
"""

# The names say what happened, as httpx and grpc name theirs; 'Error' behind each would add nothing.

import re

from genderclient._transports.base import InferenceRequest, Status, TransportError


class GenderClientError(Exception):
    """Base of all of them.

    `model` is the model asked, None when the request was never sent; `attempts` how often it was; `request_id` what
    Triton's log calls it.
    """

    def __init__(self, message: str, *, model: str | None = None, attempts: int = 0, request_id: str = "") -> None:
        times = f" (sent {attempts} times)" if attempts > 1 else ""
        super().__init__((message if model is None else f"{model}: {message}") + times)
        self.model = model
        self.attempts = attempts
        self.request_id = request_id


class InvalidInput(GenderClientError, ValueError):
    """The avatar or the nickname cannot be used."""


class InvalidAvatar(InvalidInput):
    """The avatar is no image within the limits, or cannot be read."""


class InvalidNickname(InvalidInput):
    """The nickname is no text within the limits."""


class DeadlineExceeded(GenderClientError, TimeoutError):
    """No answer within `timeout_s`."""


class Unavailable(GenderClientError, ConnectionError):
    """No server there."""


class Overloaded(Unavailable):
    """The server takes no more requests now; come back later, or with fewer at once."""


class ModelNotFound(GenderClientError):
    """The server has no such model."""


class AccessDenied(GenderClientError, PermissionError):
    """The server does not let this client in, or not to this model."""


class ServerError(GenderClientError):
    """The server failed while it worked on the request."""


class ProtocolError(GenderClientError):
    """Request or answer do not fit the contract: client and model are of different versions."""


_REFUSALS = {"AVATAR": InvalidAvatar, "NICKNAME": InvalidNickname}
_REFUSAL = re.compile(rf"\b({'|'.join(_REFUSALS)}): (.+)", re.DOTALL)


def error_for(failure: TransportError, request: InferenceRequest, *, attempts: int = 1) -> GenderClientError:
    """The error that tells the caller about `failure`: what happened, and what to do."""
    model, reason = request.model, failure.message
    kind, message = _explained(failure.status, reason, request.timeout_s)
    return kind(message, model=model, attempts=attempts, request_id=request.request_id)


def _explained(status: Status, reason: str, timeout_s: float) -> tuple[type[GenderClientError], str]:
    match status:
        case Status.INVALID_ARGUMENT:
            return _refusal(reason)
        case Status.DEADLINE_EXCEEDED:
            return DeadlineExceeded, f"no answer within {timeout_s:g} s; raise timeout_s"
        case Status.UNAVAILABLE:
            return Unavailable, f"{reason}; is Triton running? Start it with `make serve`"
        case Status.OVERLOADED:
            return Overloaded, f"{reason}; ask later, or fewer at once"
        case Status.NOT_FOUND:
            return ModelNotFound, f"{reason}; check the name and the server's model repository"
        case Status.DENIED:
            return AccessDenied, f"{reason}; check the token, and what it is good for"
        case Status.TOO_LARGE:
            return InvalidAvatar, f"{reason}; send a smaller picture"
        case Status.GARBLED:
            return ProtocolError, f"{reason}; is this address a Triton server?"
        case Status.FAILED:
            return ServerError, f"{reason}; the server's log says more"


def _refusal(reason: str) -> tuple[type[GenderClientError], str]:
    """Tells an input the server refused from a request that does not fit the model."""
    if found := _REFUSAL.search(reason):
        return _REFUSALS[found[1]], f"refused by the server: {found[0]}"
    return ProtocolError, f"{reason}; use a client and a model of the same release"
