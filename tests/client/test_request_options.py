"""Options of requests, `with_options`, and readiness."""

import asyncio
from typing import Any, get_type_hints

import pytest
from pydantic import validate_call

import genderclient
from genderclient import (
    AsyncClient,
    AsyncFakeTransport,
    Client,
    ConnectionOptions,
    Experiment,
    FakeTransport,
    Hedge,
    InferenceRequest,
    InferenceResponse,
    ModelNotFound,
    Retry,
    Status,
    Tls,
    TransportError,
    User,
    predict,
)
from tests.support.client.fakes import Recorder, respond_male

EXPERIMENT = Experiment("new", {"new_a": 1, "new_b": 1}, holdout=0.1)
READY = ["new_a", "new_b", "gender_mobilenet"]


class Loading:
    """A server whose models become available one by one with the requests for them."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.models: list[str] = []

    def sync(self, request: InferenceRequest) -> InferenceResponse:
        self.models.append(request.model)
        if len(self.models) <= self.failures:
            raise TransportError(Status.NOT_FOUND, "no model")
        return respond_male(request)

    async def tasks(self, request: InferenceRequest) -> InferenceResponse:
        return self.sync(request)


def test_client_with_experiment_is_ready_if_all_arms_are() -> None:
    server = Loading(failures=0)
    client = Client(transport=FakeTransport(server.sync), experiment=EXPERIMENT)
    assert client.is_ready()
    assert server.models == READY
    server.failures = 4
    assert not client.is_ready()
    client.wait_until_ready(5)
    tasks = AsyncClient(transport=AsyncFakeTransport(Loading(failures=0).tasks), experiment=EXPERIMENT)
    assert asyncio.run(tasks.is_ready())


def test_async_client_waits_until_ready() -> None:
    server = Loading(failures=1)
    client = AsyncClient(transport=AsyncFakeTransport(server.tasks))
    asyncio.run(client.wait_until_ready(5))
    assert len(server.models) == 2
    server.failures = 1000
    with pytest.raises(ModelNotFound):
        asyncio.run(client.wait_until_ready(0.1))


def test_derived_client_has_other_defaults_and_the_same_connections() -> None:
    server = Recorder()
    client = Client(transport=FakeTransport(server))
    derived = client.with_options(
        model="other", model_version="3", timeout_s=2, unknown_below=0.8, headers={"x-team": "ads"}
    )
    assert (derived.predict().gender, client.predict(nickname="a").gender) == ("unknown", "male")
    first, second = server.requests
    assert (first.model, first.version, first.headers["x-team"]) == ("other", "3", "ads")
    assert first.timeout_s == pytest.approx(2, abs=0.1)
    assert (second.model, second.version) == ("gender_mobilenet", "")
    assert second.headers == {"x-request-id": second.request_id}
    derived.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.predict()


def test_version_and_headers_reach_triton(url: str) -> None:
    with Client(url, headers={"x-team": "ads"}) as client:
        version = client.predict().version
        assert client.with_options(model_version=version).predict().version == version
        with pytest.raises(ModelNotFound):
            client.with_options(model_version="99").predict()


def test_predict_many_overrides_timeout_and_embedding() -> None:
    server = Recorder()
    client = Client(transport=FakeTransport(server))
    (scored,) = client.predict_many([User(nickname="a")], timeout_s=3, embedding=True)
    assert scored.prediction and scored.prediction.embedding
    assert server.requests[0].timeout_s == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("url", 3),
        ("url", [3]),
        ("model", 3),
        ("model_version", 1),
        ("timeout_s", "5"),
        ("timeout_s", True),
        ("unknown_below", "0.5"),
        ("retry", 3),
        ("headers", [("a", "b")]),
        ("headers", {"a": 1}),
        ("ignore_invalid_avatar", "yes"),
        ("allow_paths", 1),
        ("hedge", 0.1),
        ("experiment", "a"),
        ("tls", "ca.pem"),
        ("token", b"token"),
        ("options", {}),
        ("transport", "http"),
    ],
)
def test_option_of_wrong_type_gets_a_sentence(option: str, value: Any) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(TypeError, match=rf"^{option}.*: got \w+, expected "):
            kind(**{option: value})


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (Retry, {"attempts": "3"}),
        (Retry, {"first_backoff_s": None}),
        (Hedge, {"after_s": "1"}),
        (Hedge, {"after_s": 1, "max_share": "1"}),
        (ConnectionOptions, {"max_message_bytes": "1"}),
        (ConnectionOptions, {"keepalive_s": "1"}),
        (Tls, {"ca_file": 3}),
        (Experiment, {"name": "a", "arms": ["b"]}),
        (Experiment, {"name": 3, "arms": {"b": 1}}),
        (Experiment, {"name": "a", "arms": {"b": "1"}}),
        (Experiment, {"name": "a", "arms": {3: 1}}),
        (Experiment, {"name": "a", "arms": {"b": 1}, "salt": 3}),
        (Experiment, {"name": "a", "arms": {"b": 1}, "overrides": [("user", "b")]}),
        (Experiment, {"name": "a", "arms": {"b": 1}, "on_exposure": "print"}),
    ],
)
def test_value_of_wrong_type_gets_a_sentence(kind: Any, options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r": got \w+, expected "):
        kind(**options)


@pytest.mark.parametrize(
    "call",
    [{"model": 3}, {"timeout_s": "1"}, {"user_id": 3}, {"nickname": 3}, {"avatar": 3}, {"embedding": "yes"}],
    ids=str,
)
def test_argument_of_wrong_type_gets_a_sentence(call: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r": got \w+, expected "):
        Client(transport=FakeTransport(respond_male)).predict(**call)


@pytest.mark.parametrize("headers", [{"X-Team": "a"}, {"authorization": "a"}, {"a": "b\n"}, {"a": "小"}, {"": "a"}])
def test_invalid_header_is_rejected(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="headers"):
        Client(headers=headers)


def test_unknown_option_is_rejected() -> None:
    with pytest.raises(TypeError, match="tokens: expected one of model, "):
        Client().with_options(tokens="a")  # type: ignore[call-arg]


def test_annotations_can_be_evaluated() -> None:
    for function in (predict, Client.predict, AsyncClient.predict, Client.predict_many, User):
        assert "return" in get_type_hints(function) or "avatar" in get_type_hints(function)
    validate_call(predict)


def test_public_errors_are_named_by_the_package() -> None:
    errors = [each for each in vars(genderclient).values() if isinstance(each, type) and issubclass(each, Exception)]
    assert {each.__module__ for each in errors} == {"genderclient"}


def test_version_is_a_release() -> None:
    assert genderclient.__version__[0].isdecimal()


@pytest.mark.parametrize("user", [{"nickname": "a"}, ("a", "b"), "a", None])
def test_user_of_wrong_type_is_the_error_of_that_user(user: Any) -> None:
    with Client(transport=FakeTransport(respond_male)) as client:
        wrong, right = client.predict_many([user, User(nickname="a")])
    assert str(wrong.error) == f"users: got {type(user).__name__}, expected a User"
    assert right.prediction


@pytest.mark.parametrize("users", [None, 3, User(nickname="a")])
def test_users_that_are_no_iterable_get_a_sentence(users: Any) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(TypeError, match=r"^users: got \w+, expected an iterable of User$"):
            kind().predict_many(users)
