"""What the errors of the SDK mean to the supervisor."""

import pytest

from genderclient import DeadlineExceeded, GenderClientError, ModelNotFound, Overloaded, ServerError, Unavailable
from server.supervisor.canary import read_error
from server.supervisor.policy import Verdict

DIED = "in ensemble 'gender_mobilenet', Stub process 'my_net_0_1' is not healthy."


@pytest.mark.parametrize(
    ("error", "verdict", "suspect"),
    [
        (ServerError(DIED), Verdict.BROKEN, "my_net"),
        (Unavailable(DIED), Verdict.BROKEN, "my_net"),
        (ServerError("the network broke"), Verdict.BROKEN, None),
        (ModelNotFound("has no available versions"), Verdict.BROKEN, None),
        (DeadlineExceeded("no answer within 2 s"), Verdict.SILENT, None),
        (Unavailable("failed to connect"), Verdict.SILENT, None),
        (Overloaded("ask later"), Verdict.SILENT, None),
    ],
)
def test_errors(error: GenderClientError, verdict: Verdict, suspect: str | None) -> None:
    assert read_error(error) == (verdict, suspect)
