"""`screen`, over a fake transport."""

import asyncio
from typing import Any

import numpy as np
import pytest

from genderclient import (
    AsyncClient,
    AsyncFakeTransport,
    Client,
    FakeTransport,
    FloatTensor,
    InferenceRequest,
    InferenceResponse,
    InvalidPicture,
    ProtocolError,
    Status,
    Tensor,
)
from genderclient._questions.screening import ATTRIBUTES
from tests.support.client.fakes import Recorder, failing

PROBABILITIES = tuple(index / 16 for index in range(len(ATTRIBUTES)))


def screened(request: InferenceRequest, *reasons: str, suitable: bool | None = None) -> InferenceResponse:
    """Answers that these attributes refuse the picture."""
    outputs = (
        FloatTensor("ATTRIBUTES", (1, len(ATTRIBUTES)), PROBABILITIES),
        FloatTensor("SCORES", (1, 2), (0.625, 0.25)),
        Tensor("REFUSED", np.array([[name in reasons for name in ATTRIBUTES]])),
        Tensor("SUITABLE", np.array([[not reasons if suitable is None else suitable]])),
    )
    return InferenceResponse(model=request.model, version="2", outputs=outputs)


def test_screen_sends_the_picture_and_names_attributes() -> None:
    recorder = Recorder(screened)
    screening = Client(transport=FakeTransport(recorder)).screen(b"picture")
    (request,) = recorder.requests
    assert (request.model, [(each.name, each.value) for each in request.inputs]) == (
        "screen",
        [("PICTURE", b"picture")],
    )
    assert (screening.suitable, screening.reasons, screening.scores) == (True, (), (0.625, 0.25))
    assert screening.attributes == dict(zip(ATTRIBUTES, PROBABILITIES, strict=True))
    assert (screening.model, screening.version) == ("screen", "2")
    assert screening.to_dict()["attributes"]["low_resolution"] == 1 / 16


def test_reasons_keep_the_order_of_attributes() -> None:
    transport = FakeTransport(lambda request: screened(request, "unsuitable", "blurred"))
    screening = Client(transport=transport).screen(b"x")
    assert (screening.suitable, screening.reasons) == (False, ("blurred", "unsuitable"))


def test_missing_picture_is_unsuitable_without_a_reason() -> None:
    screening = Client(transport=FakeTransport(lambda request: screened(request, suitable=False))).screen(b"x")
    assert (screening.suitable, screening.reasons) == (False, ())


@pytest.mark.parametrize(
    ("picture", "error", "message"),
    [
        (None, ValueError, "^picture: got none"),
        (b"", ValueError, "^picture: got none"),
        (17, TypeError, "^picture: got int"),
        ("secret.jpg", InvalidPicture, "^picture: got 10 characters of text"),
    ],
)
def test_invalid_picture_is_named(picture: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        Client(transport=FakeTransport(screened), allow_paths=False).screen(picture)
    assert "secret" not in str(caught.value)


def test_rejection_names_the_picture() -> None:
    transport = failing(Status.INVALID_ARGUMENT, "in ensemble 'screen', PICTURE: not an image")
    with (
        Client(transport=transport) as client,
        pytest.raises(InvalidPicture, match=r"^screen: rejected .* not an image"),
    ):
        client.screen(b"x")


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ((), "REFUSED is missing"),
        ((Tensor("REFUSED", np.array([[True]])),), r"REFUSED is bool .*expected booleans of shape \(1, 11\)"),
        ((FloatTensor("REFUSED", (1, 11), (0.0,) * 11),), "REFUSED is float32 .*expected booleans"),
    ],
    ids=["missing", "other shape", "other type"],
)
def test_violation_of_the_contract_is_named(outputs: Any, message: str) -> None:
    def respond(request: InferenceRequest) -> InferenceResponse:
        return InferenceResponse(model=request.model, version="1", outputs=outputs)

    with pytest.raises(ProtocolError, match=f"^screen: output {message}"):
        Client(transport=FakeTransport(respond)).screen(b"x")


def test_contradiction_is_named() -> None:
    transport = FakeTransport(lambda request: screened(request, "blurred", suitable=True))
    with pytest.raises(ProtocolError, match="SUITABLE contradicts REFUSED"):
        Client(transport=transport).screen(b"x")


def test_bad_pictures_fail_alone() -> None:
    results = list(Client(transport=FakeTransport(screened)).screen_many([b"x", None, b"y"]))  # type: ignore[list-item]
    assert [(each.index, each.screening is not None) for each in results] == [(0, True), (1, False), (2, True)]
    assert str(results[1].error).startswith("picture: got none")


def test_tasks_screen() -> None:
    async def respond(request: InferenceRequest) -> InferenceResponse:
        return screened(request, "collage")

    async def ask() -> tuple[Any, ...]:
        async with AsyncClient(transport=AsyncFakeTransport(respond)) as client:
            many = [each.error is None async for each in client.screen_many([b"x", b""])]
            return (await client.screen(b"x")).reasons, many

    assert asyncio.run(ask()) == (("collage",), [True, False])


def test_readiness_is_probed_by_a_picture() -> None:
    recorder = Recorder(screened)
    assert Client(transport=FakeTransport(recorder)).is_ready(model="screen_canary")
    assert [tensor.name for tensor in recorder.requests[0].inputs] == ["PICTURE"]
