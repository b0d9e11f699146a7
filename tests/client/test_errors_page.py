"""The page about errors lists the classes of errors, and what else each of them is."""

import re

import genderclient
from genderclient import GenderClientError, InferenceRequest, Status, TransportError
from genderclient._exceptions import error_for
from tests.support.tritonserver import ROOT

PAGE = (ROOT / "client" / "docs" / "errors.md").read_text(encoding="utf-8")


def documented() -> dict[str, set[str]]:
    """The classes of the table with their further bases."""
    rows = [line.split("|")[1:3] for line in PAGE.splitlines() if line.startswith("| `")]
    return {name: set(re.findall(r"`(\w+)`", also)) for names, also in rows for name in re.findall(r"`(\w+)`", names)}


def test_table_lists_every_error_and_its_bases() -> None:
    public = [getattr(genderclient, name) for name in genderclient.__all__]
    errors = [each for each in public if isinstance(each, type) and issubclass(each, GenderClientError)]
    assert documented() == {
        error.__name__: {base.__name__ for base in error.__bases__} - {"GenderClientError", "Exception"}
        for error in errors
    }


def test_every_status_has_a_documented_error() -> None:
    request = InferenceRequest(model="m", inputs=(), timeout_s=1)
    raised = {type(error_for(TransportError(status, "AVATAR: reason"), request)).__name__ for status in Status}
    raised |= {type(error_for(TransportError(Status.INVALID_ARGUMENT, "NICKNAME: reason"), request)).__name__}
    raised |= {type(error_for(TransportError(Status.INVALID_ARGUMENT, "PICTURE: reason"), request)).__name__}
    assert raised == documented().keys() - {"InvalidInput", "HistoryUnavailable", "GenderClientError"}
