"""Statuses that the server's message refines."""

import pytest

from genderclient import Status
from genderclient._transports.base import refine_status


@pytest.mark.parametrize(
    ("status", "message", "refined"),
    [
        (Status.UNAVAILABLE, "failed to connect", Status.UNAVAILABLE),
        (Status.UNAVAILABLE, "overloaded: 16 requests are being answered", Status.OVERLOADED),
        (Status.UNAVAILABLE, "Exceeds maximum queue size", Status.OVERLOADED),
        (Status.UNAVAILABLE, "This protocol is restricted, expecting header 'admin-key'", Status.DENIED),
        (Status.FAILED, "Stub process 'preprocess_0_0' is not healthy", Status.UNAVAILABLE),
        (Status.FAILED, "in ensemble, the model broke", Status.FAILED),
        (Status.NOT_FOUND, "Request for unknown model: 'x' is not found", Status.NOT_FOUND),
        (Status.NOT_FOUND, "Request for unknown model: 'x' has no available versions", Status.UNAVAILABLE),
        (Status.OVERLOADED, "overloaded: 50 requests a second are yours", Status.OVERLOADED),
        (Status.OVERLOADED, "CLIENT: Sent message larger than max (2000 vs. 1000)", Status.TOO_LARGE),
        (Status.OVERLOADED, "too large: a request has at most 12 MiB", Status.TOO_LARGE),
        (Status.INVALID_ARGUMENT, "overloaded", Status.INVALID_ARGUMENT),
    ],
)
def test_message_refines_status(status: Status, message: str, refined: Status) -> None:
    assert refine_status(status, message) is refined
