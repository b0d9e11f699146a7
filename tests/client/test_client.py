"""The client over a fake transport."""

import math
import subprocess
import sys
import time
from typing import Any

import pytest

from genderclient import (
    AccessDenied,
    Client,
    DeadlineExceeded,
    FakeTransport,
    GenderClientError,
    InferenceRequest,
    InferenceResponse,
    InvalidAvatar,
    InvalidNickname,
    ModelNotFound,
    ProtocolError,
    ServerError,
    Status,
    TransportError,
    Unavailable,
)
from tests.support.client.fakes import Recorder, answer, failing


def client(transport: FakeTransport, **options: Any) -> Client:
    return Client("grpc://127.0.0.1:9", transport=transport, **options)


def test_predict_asks_the_default_model_within_the_default_time() -> None:
    recorder = Recorder()
    prediction = client(FakeTransport(recorder)).predict(nickname="小美", avatar=b"picture")
    (request,) = recorder.requests
    assert [tensor.value for tensor in request.inputs] == [b"picture", "小美".encode()]
    assert request.model == "gender_mobilenet"
    assert request.timeout_s == pytest.approx(10.0, abs=0.1)
    assert (prediction.gender, prediction.model, prediction.embedding) == ("male", "gender_mobilenet", None)


def test_a_call_overrides_the_client() -> None:
    recorder = Recorder()
    prediction = client(FakeTransport(recorder)).predict(model="gender_densenet", timeout_s=0.5, embedding=True)
    assert recorder.requests[0].model == "gender_densenet"
    assert recorder.requests[0].timeout_s == pytest.approx(0.5, abs=0.1)
    assert prediction.embedding == (0.0,) * 256


def test_unknown_below_is_the_clients() -> None:
    assert client(FakeTransport(answer), unknown_below=0.9).predict(nickname="小美").gender == "unknown"


@pytest.mark.parametrize(
    ("status", "message", "error", "says"),
    [
        (Status.INVALID_ARGUMENT, "in ensemble, AVATAR: not an image", InvalidAvatar, "AVATAR: not an image"),
        (Status.INVALID_ARGUMENT, "NICKNAME: not UTF-8", InvalidNickname, "NICKNAME: not UTF-8"),
        (Status.INVALID_ARGUMENT, "expected 2 inputs but got 1", ProtocolError, "of the same release"),
        (Status.DEADLINE_EXCEEDED, "", DeadlineExceeded, "no answer within 10 s; raise timeout_s"),
        (Status.UNAVAILABLE, "refused", Unavailable, "refused; is Triton running\\? Start it with `make serve`"),
        (Status.NOT_FOUND, "unknown model", ModelNotFound, "unknown model; check the name"),
        (Status.DENIED, "no token", AccessDenied, "no token; check the token"),
        (Status.TOO_LARGE, "HTTP 413", InvalidAvatar, "HTTP 413; send a smaller picture"),
        (Status.GARBLED, "no v2", ProtocolError, "no v2; is this address a Triton server"),
        (Status.FAILED, "stub died", ServerError, "stub died; the server's log says more"),
    ],
)
def test_every_failure_has_its_error(status: Status, message: str, error: type[GenderClientError], says: str) -> None:
    with pytest.raises(error, match=f"^gender_mobilenet: .*{says}") as caught:
        client(failing(status, message)).predict()
    assert caught.value.model == "gender_mobilenet"
    assert isinstance(caught.value.__cause__, TransportError)


def test_errors_are_also_pythons_own() -> None:
    assert issubclass(InvalidAvatar, ValueError)
    assert issubclass(InvalidNickname, ValueError)
    assert issubclass(DeadlineExceeded, TimeoutError)
    assert issubclass(Unavailable, ConnectionError)


@pytest.mark.parametrize("timeout_s", [0, -1, math.nan, math.inf])
def test_timeout_must_be_positive(timeout_s: float) -> None:
    with pytest.raises(ValueError, match="timeout_s: got"):
        client(FakeTransport(answer), timeout_s=timeout_s)
    with pytest.raises(ValueError, match="timeout_s: got"):
        client(FakeTransport(answer)).predict(timeout_s=timeout_s)


def test_unknown_below_must_be_a_probability() -> None:
    with pytest.raises(ValueError, match="unknown_below: got 60"):
        client(FakeTransport(answer), unknown_below=60)


def test_is_ready_only_when_a_prediction_comes() -> None:
    assert client(FakeTransport(answer)).is_ready()
    assert not client(failing(Status.FAILED)).is_ready()


def test_wait_until_ready_outlasts_a_server_that_loads() -> None:
    failures = [TransportError(Status.UNAVAILABLE, "refused"), TransportError(Status.NOT_FOUND, "no model yet")]

    def respond(request: InferenceRequest) -> InferenceResponse:
        if failures:
            raise failures.pop(0)
        return answer(request)

    client(FakeTransport(respond)).wait_until_ready(timeout_s=5)
    assert not failures


def test_wait_until_ready_gives_up_with_the_last_reason() -> None:
    started_s = time.monotonic()
    with pytest.raises(Unavailable, match="no luck"):
        client(failing(Status.UNAVAILABLE)).wait_until_ready(timeout_s=0.5)
    assert time.monotonic() - started_s < 2


def test_wait_until_ready_does_not_wait_for_what_cannot_change() -> None:
    with pytest.raises(ProtocolError):
        client(failing(Status.GARBLED)).wait_until_ready(timeout_s=60)


def test_a_closed_client_says_so() -> None:
    with client(FakeTransport(answer)) as closed:
        closed.predict()
    closed.close()
    with pytest.raises(RuntimeError, match="the client is closed"):
        closed.predict()


def test_repr_names_server_and_model() -> None:
    assert repr(client(FakeTransport(answer))) == "Client('grpc://127.0.0.1:9', model='gender_mobilenet')"


def test_import_loads_nothing_heavy() -> None:
    script = (
        "import sys, time; started = time.process_time(); import genderclient; genderclient.Client()\n"
        "assert time.process_time() - started < 0.2\n"
        "assert not {'numpy', 'PIL', 'grpc', 'tritonclient', 'http.client', 'opentelemetry'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
