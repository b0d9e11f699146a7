"""Missing inputs, and the fallback to the nickname if the avatar is invalid."""

import asyncio
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from genderclient import (
    AsyncClient,
    AsyncFakeTransport,
    Client,
    FakeTransport,
    InferenceRequest,
    InferenceResponse,
    InvalidAvatar,
    Prediction,
    Status,
    TransportError,
)
from genderclient._missing import is_missing
from tests.support.client.fakes import Recorder, respond_male

MISSING: list[Any] = [None, "", b"", bytearray(), memoryview(b""), float("nan"), np.float32("nan"), Decimal("nan")]
MISSING += [pd.NA, pd.NaT, np.str_(""), np.bytes_(b"")]


@pytest.mark.parametrize("value", MISSING)
@pytest.mark.parametrize("name", ["avatar", "nickname"])
def test_missing_value_is_sent_empty(name: str, value: Any) -> None:
    server = Recorder()
    Client(transport=FakeTransport(server)).predict(**{name: value})
    assert [tensor.value for tensor in server.requests[0].inputs] == [b"", b""]


@pytest.mark.parametrize("value", ["a", b"a", 0, 0.0, [], np.zeros((2, 2), np.uint8), object()])
def test_value_is_not_missing(value: Any) -> None:
    assert not is_missing(value)


class PickyServer:
    """Rejects the avatar `bad`, and every other avatar passes."""

    def __init__(self) -> None:
        self.avatars: list[bytes] = []

    def sync(self, request: InferenceRequest) -> InferenceResponse:
        self.avatars.append(request.inputs[0].value)
        if self.avatars[-1] == b"bad":
            raise TransportError(Status.INVALID_ARGUMENT, "AVATAR: not an image")
        return respond_male(request)

    async def tasks(self, request: InferenceRequest) -> InferenceResponse:
        return self.sync(request)


@pytest.fixture(params=["threads", "tasks"])
def predict(request: pytest.FixtureRequest) -> Any:
    server = PickyServer()

    def run(**inputs: Any) -> tuple[Prediction, list[bytes]]:
        if request.param == "threads":
            client = Client(transport=FakeTransport(server.sync), ignore_invalid_avatar=True)
            return client.predict(**inputs), server.avatars
        tasks = AsyncClient(transport=AsyncFakeTransport(server.tasks), ignore_invalid_avatar=True)
        return asyncio.run(tasks.predict(**inputs)), server.avatars

    return run


def test_avatar_rejected_by_server_is_ignored(predict: Any) -> None:
    prediction, avatars = predict(avatar=b"bad", nickname="小美")
    assert avatars == [b"bad", b""]
    assert prediction.avatar_error == "gender_mobilenet: rejected by the server: AVATAR: not an image"
    assert prediction.attempts == 2


def test_avatar_rejected_by_client_is_ignored(predict: Any) -> None:
    prediction, avatars = predict(avatar="no/such.jpg", nickname="小美")
    assert (avatars, prediction.attempts) == ([b""], 1)
    assert prediction.to_dict()["avatar_error"].startswith("avatar: cannot read the file")


def test_valid_avatar_has_no_error(predict: Any) -> None:
    assert predict(avatar=b"good", nickname="小美")[0].avatar_error is None


@pytest.mark.parametrize("nickname", [None, "", float("nan")])
def test_invalid_avatar_without_nickname_is_raised(predict: Any, nickname: Any) -> None:
    with pytest.raises(InvalidAvatar):
        predict(avatar=b"bad", nickname=nickname)


def test_wrong_type_is_raised(predict: Any) -> None:
    with pytest.raises(TypeError, match="avatar: got int"):
        predict(avatar=3, nickname="小美")


def test_paths_can_be_refused(tmp_path: Any) -> None:
    (tmp_path / "me.jpg").write_bytes(b"good")
    client = Client(transport=FakeTransport(respond_male), allow_paths=False)
    for path in (tmp_path / "me.jpg", str(tmp_path / "me.jpg")):
        with pytest.raises(InvalidAvatar, match="pass the bytes"):
            client.predict(avatar=path)
