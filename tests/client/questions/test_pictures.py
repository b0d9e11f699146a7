"""`embed` and `similar`, over a fake transport."""

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
    InvalidInput,
    InvalidPicture,
    Picture,
    ProtocolError,
    Retry,
    Status,
    TransportError,
)
from tests.support.client.fakes import Recorder, failing, integers, respond_list, respond_list_async, respond_vectors

X = (1.0, *[0.0] * 31)


def make_client(respond: Any) -> Client:
    return Client(transport=FakeTransport(respond), allow_paths=False)


def inputs(request: InferenceRequest) -> dict[str, Any]:
    return {tensor.name: tensor.value for tensor in request.inputs}


def test_embed_sends_picture_and_title() -> None:
    recorder = Recorder(respond_vectors)
    embedding = make_client(recorder).embed(b"picture", "早安")
    (request,) = recorder.requests
    assert (request.model, inputs(request)) == ("embed", {"PICTURE": b"picture", "TITLE": "早安".encode()})
    assert (embedding.vector, embedding.title_vector) == (X, (0.0, 1.0, *[0.0] * 30))
    assert (embedding.model, embedding.request_id) == ("embed", request.request_id)


@pytest.mark.parametrize(("picture", "title", "present"), [(b"x", "", (True, False)), (None, "早安", (False, True))])
def test_missing_picture_or_title_has_no_vector(picture: Any, title: str, present: tuple[bool, bool]) -> None:
    embedding = make_client(respond_vectors).embed(picture, title)
    assert (embedding.vector is not None, embedding.title_vector is not None) == present


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((None,), ValueError, "^picture: got none, and no title"),
        ((3.5,), TypeError, r"^picture: got float, expected a path, .*\[H,W,4\]$"),
        (("secret.jpg",), InvalidPicture, "^picture: got 10 characters of text"),
        ((b"x", 3), TypeError, "^title: got int, expected str"),
        ((b"x", "a\ud83d"), InvalidInput, "^title: lone surrogate at index 1"),
    ],
)
def test_invalid_picture_or_title_is_named(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        make_client(respond_vectors).embed(*arguments)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("message", "error", "expected"),
    [
        (
            "in ensemble 'embed', PICTURE: not an image",
            InvalidPicture,
            "^embed: rejected by the server: PICTURE: not",
        ),
        ("TITLE: too long", InvalidInput, "^embed: rejected by the server: TITLE: too long"),
        ("unexpected shape for input 'PICTURE'", ProtocolError, "of the same release"),
    ],
)
def test_rejection_names_the_argument(message: str, error: type[Exception], expected: str) -> None:
    with Client(transport=failing(Status.INVALID_ARGUMENT, message)) as client, pytest.raises(error, match=expected):
        client.embed(b"x")


def test_too_large_request_is_an_invalid_picture() -> None:
    with Client(transport=failing(Status.TOO_LARGE)) as client, pytest.raises(InvalidPicture, match="smaller picture"):
        client.similar(b"x")


@pytest.mark.parametrize(
    ("picture", "expected"),
    [(b"picture", (b"picture", -1)), (17, (b"", 17)), (np.int64(17), (b"", 17))],
)
def test_similar_sends_picture_or_id(picture: Any, expected: tuple[bytes, int]) -> None:
    recorder = Recorder(respond_list)
    neighbors = make_client(recorder).similar(picture, k=2)
    (request,) = recorder.requests
    assert request.model == "similar"
    assert inputs(request) == {"PICTURE": expected[0], "PICTURE_ID": expected[1], "K": 2}
    assert (neighbors.pictures, neighbors.scores) == ((7, 3), (0.75, 0.5))


def test_padding_is_removed() -> None:
    assert make_client(respond_list).similar(17, k=100).pictures == (7, 3, 9)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((17, 0), ValueError, "^k: got 0, expected an integer from 1 to 100"),
        ((17, 101), ValueError, "^k: got 101"),
        ((17, 2.5), TypeError, "^k: got float"),
        ((True,), TypeError, "^picture: got bool"),
        ((-1,), ValueError, "^picture: expected the id of a picture, an integer from 0"),
        ((17.0,), TypeError, "^picture: got float, expected the id of a picture, an integer"),
        ((None,), ValueError, "^picture: got none"),
    ],
)
def test_invalid_query_is_named(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make_client(respond_list).similar(*arguments)


def test_unknown_id_is_an_invalid_input() -> None:
    with (
        Client(transport=failing(Status.INVALID_ARGUMENT, "PICTURE_ID: the gallery has no such picture")) as client,
        pytest.raises(InvalidInput, match="PICTURE_ID: the gallery"),
    ):
        client.similar(4)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (
            (integers("PICTURES", 1, 2), FloatTensor("SCORES", (1, 1), (0.5,))),
            r"SCORES is .*expected numbers of shape \(1, 2\)",
        ),
        ((FloatTensor("PICTURES", (1, 1), (0.5,)),), r"PICTURES is float32 .*expected integers of shape \(1, n\)"),
        ((integers("PICTURES", 1), FloatTensor("SCORES", (1, 1), (float("nan"),))), "SCORES is not finite"),
        ((), "PICTURES is missing"),
    ],
)
def test_violation_of_the_contract_is_named(outputs: Any, message: str) -> None:
    def respond(request: InferenceRequest) -> InferenceResponse:
        return InferenceResponse(model=request.model, version="1", outputs=outputs)

    with pytest.raises(ProtocolError, match=f"^similar: output {message}"):
        make_client(respond).similar(17)


def test_bad_pictures_fail_alone() -> None:
    pictures = [Picture(picture=b"x"), Picture(), Picture(picture=b"x", title="早安"), b"bare"]
    embedded = list(make_client(respond_vectors).embed_many(pictures))  # type: ignore[arg-type]
    assert [each.index for each in embedded] == [0, 1, 2, 3]
    assert [type(each.error).__name__ for each in embedded] == ["NoneType", "ValueError", "NoneType", "TypeError"]
    assert embedded[2].embedding
    matched = list(make_client(respond_list).similar_many([17, -1, b"x"], k=1))
    assert [each.neighbors and each.neighbors.pictures for each in matched] == [(7,), None, (7,)]


def test_question_is_retried_within_its_deadline() -> None:
    failures = [TransportError(Status.UNAVAILABLE, "away")]

    def respond(request: InferenceRequest) -> InferenceResponse:
        if failures:
            raise failures.pop()
        return respond_vectors(request)

    client = Client(transport=FakeTransport(respond), retry=Retry(first_backoff_s=0))
    assert client.embed(b"x", timeout_s=1).attempts == 2


def test_tasks_embed_and_search() -> None:
    async def ask() -> tuple[Any, ...]:
        async def vectors(request: InferenceRequest) -> InferenceResponse:
            return respond_vectors(request)

        async with AsyncClient(transport=AsyncFakeTransport(vectors)) as client:
            embedded = [each.error is None async for each in client.embed_many([Picture(title="早安"), Picture()])]
            vector = (await client.embed(b"x")).vector
        async with AsyncClient(transport=AsyncFakeTransport(respond_list_async)) as client:
            matched = [each.neighbors is not None async for each in client.similar_many([1, -1])]
            return vector, embedded, matched, (await client.similar(17)).pictures

    assert asyncio.run(ask()) == (X, [True, False], [True, False], (7, 3, 9))


@pytest.mark.parametrize(
    ("model", "names"), [("embed", ["PICTURE", "TITLE"]), ("similar", ["PICTURE", "PICTURE_ID", "K"])]
)
def test_readiness_is_probed_by_a_question_of_the_model(model: str, names: list[str]) -> None:
    recorder = Recorder(respond_vectors if model == "embed" else respond_list)
    assert make_client(recorder).is_ready(model=model)
    assert [tensor.name for tensor in recorder.requests[0].inputs] == names
