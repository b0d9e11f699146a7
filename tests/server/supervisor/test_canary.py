"""How the supervisor classifies errors of the SDK."""

import pytest

from genderclient import DeadlineExceeded, GenderClientError, ModelNotFound, Overloaded, ServerError, Unavailable
from server.supervisor.canary import classify
from server.supervisor.snapshot import Verdict

DEAD_STUB = "in ensemble 'gender_mobilenet', Stub process 'my_net_0_1' is not healthy."


@pytest.mark.parametrize(
    ("error", "verdict", "suspect"),
    [
        (ServerError(DEAD_STUB), Verdict.BROKEN, "my_net"),
        (Unavailable(DEAD_STUB), Verdict.BROKEN, "my_net"),
        (ServerError("the network broke"), Verdict.BROKEN, None),
        (ModelNotFound("has no available versions"), Verdict.BROKEN, None),
        (DeadlineExceeded("no answer within 2 s"), Verdict.SILENT, None),
        (Unavailable("failed to connect"), Verdict.SILENT, None),
        (Overloaded("ask later"), Verdict.SILENT, None),
    ],
)
def test_classify(error: GenderClientError, verdict: Verdict, suspect: str | None) -> None:
    assert classify(error) == (verdict, suspect)
