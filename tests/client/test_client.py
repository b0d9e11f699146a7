"""The client for threads, over fake transports."""

import math
import subprocess
import sys
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
    Overloaded,
    ProtocolError,
    ServerError,
    Status,
    TransportError,
    Unavailable,
)
from tests.support.client.fakes import Recorder, failing, respond_male
from tests.support.waiting import ends_soon


def make_client(transport: FakeTransport, **options: Any) -> Client:
    return Client("grpc://127.0.0.1:9", transport=transport, **options)


def test_predict_uses_defaults() -> None:
    recorder = Recorder()
    prediction = make_client(FakeTransport(recorder)).predict(nickname="小美", avatar=b"picture")
    (request,) = recorder.requests
    assert [tensor.value for tensor in request.inputs] == [b"picture", "小美".encode()]
    assert request.model == "gender_mobilenet"
    assert request.timeout_s == pytest.approx(10.0, abs=0.1)
    assert (prediction.gender, prediction.model, prediction.embedding) == ("male", "gender_mobilenet", None)
    assert prediction.request_id == request.request_id


def test_call_overrides_client() -> None:
    recorder = Recorder()
    client = make_client(FakeTransport(recorder))
    prediction = client.predict(model="gender_densenet", timeout_s=0.5, embedding=True)
    assert recorder.requests[0].model == "gender_densenet"
    assert recorder.requests[0].timeout_s == pytest.approx(0.5, abs=0.1)
    assert prediction.embedding == (0.0,) * 256


def test_unknown_below_of_client_applies() -> None:
    assert make_client(FakeTransport(respond_male), unknown_below=0.9).predict(nickname="小美").gender == "unknown"


@pytest.mark.parametrize(
    ("status", "message", "error", "expected"),
    [
        (Status.INVALID_ARGUMENT, "in ensemble, AVATAR: not an image", InvalidAvatar, "AVATAR: not an image"),
        (Status.INVALID_ARGUMENT, "NICKNAME: not UTF-8", InvalidNickname, "NICKNAME: not UTF-8"),
        (Status.INVALID_ARGUMENT, "expected 2 inputs but got 1", ProtocolError, "of the same release"),
        (Status.DEADLINE_EXCEEDED, "", DeadlineExceeded, "no response within 10 s; raise timeout_s"),
        (Status.UNAVAILABLE, "refused", Unavailable, "refused; is Triton running\\? Start it with `make serve`"),
        (Status.OVERLOADED, "busy", Overloaded, "busy; send fewer requests at once"),
        (Status.NOT_FOUND, "unknown model", ModelNotFound, "unknown model; check the name"),
        (Status.DENIED, "no token", AccessDenied, "no token; check the token"),
        (Status.TOO_LARGE, "HTTP 413", InvalidAvatar, "HTTP 413; send a smaller picture"),
        (Status.GARBLED, "no v2", ProtocolError, "no v2; is this address a Triton server"),
        (Status.FAILED, "stub died", ServerError, "stub died; see the server's log"),
    ],
)
def test_each_status_has_an_error(status: Status, message: str, error: type[GenderClientError], expected: str) -> None:
    with pytest.raises(error, match=f"^gender_mobilenet: .*{expected}") as caught:
        make_client(failing(status, message)).predict()
    assert caught.value.model == "gender_mobilenet"
    assert isinstance(caught.value.__cause__, TransportError)


def test_errors_are_also_builtin_errors() -> None:
    assert issubclass(InvalidAvatar, ValueError)
    assert issubclass(InvalidNickname, ValueError)
    assert issubclass(DeadlineExceeded, TimeoutError)
    assert issubclass(Unavailable, ConnectionError)
    assert issubclass(AccessDenied, PermissionError)


@pytest.mark.parametrize("timeout_s", [0, -1, math.nan, math.inf, 1e10])
def test_timeout_must_be_positive(timeout_s: float) -> None:
    with pytest.raises(ValueError, match="timeout_s: got"):
        make_client(FakeTransport(respond_male), timeout_s=timeout_s)
    with pytest.raises(ValueError, match="timeout_s: got"):
        make_client(FakeTransport(respond_male)).predict(timeout_s=timeout_s)


def test_unknown_below_must_be_a_probability() -> None:
    with pytest.raises(ValueError, match="unknown_below: got 60"):
        make_client(FakeTransport(respond_male), unknown_below=60)


def test_is_ready() -> None:
    assert make_client(FakeTransport(respond_male)).is_ready()
    assert not make_client(failing(Status.FAILED)).is_ready()


def test_wait_until_ready_outlasts_loading() -> None:
    failures = [TransportError(Status.UNAVAILABLE, "refused"), TransportError(Status.NOT_FOUND, "no model yet")]

    def respond(request: InferenceRequest) -> InferenceResponse:
        if failures:
            raise failures.pop(0)
        return respond_male(request)

    make_client(FakeTransport(respond)).wait_until_ready(timeout_s=5)
    assert not failures


def test_wait_until_ready_costs_no_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [TransportError(Status.UNAVAILABLE, "refused")] * 20

    def respond(request: InferenceRequest) -> InferenceResponse:
        if failures:
            raise failures.pop()
        return respond_male(request)

    monkeypatch.setattr("genderclient._client.POLL_S", 0.001)
    client = make_client(FakeTransport(respond))
    client.wait_until_ready()
    failures.append(TransportError(Status.UNAVAILABLE, "lost"))
    assert client.predict().attempts == 2


def test_wait_until_ready_raises_last_error() -> None:
    with ends_soon(), pytest.raises(Unavailable, match="no luck"):
        make_client(failing(Status.UNAVAILABLE)).wait_until_ready(timeout_s=0.5)


def test_wait_until_ready_raises_permanent_errors_at_once() -> None:
    with pytest.raises(ProtocolError):
        make_client(failing(Status.GARBLED)).wait_until_ready(timeout_s=60)


def test_closed_client_cannot_be_used() -> None:
    with make_client(FakeTransport(respond_male)) as client:
        client.predict()
    client.close()
    with pytest.raises(RuntimeError, match="the client is closed"):
        client.predict()


def test_repr_names_server_and_model() -> None:
    assert repr(make_client(FakeTransport(respond_male))) == "Client('grpc://127.0.0.1:9', model='gender_mobilenet')"


def modules_after(script: str) -> set[str]:
    """Runs a script in a fresh interpreter and returns the modules it imported."""
    command = [sys.executable, "-c", f"{script}\nimport sys; print(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_import_loads_no_heavy_module() -> None:
    heavy = {"numpy", "PIL", "grpc", "tritonclient", "aiohttp", "http.client", "opentelemetry"}
    assert not heavy & modules_after("import genderclient; genderclient.Client()")


def test_predict_loads_no_extra() -> None:
    modules = modules_after(
        "from genderclient import Client, FakeTransport\n"
        "from tests.support.client.fakes import respond_male\n"
        "Client(transport=FakeTransport(respond_male)).predict(nickname='小美')"
    )
    extras = {"experiments", "fetching", "hedging", "telemetry", "tables", "ray", "_cli"}
    assert "genderclient._client" in modules
    assert not {f"genderclient.{extra}" for extra in extras} & modules
    assert not {"opentelemetry", "pyarrow", "ray", "typer"} & modules


def test_public_names_are_importable() -> None:
    modules = modules_after(
        "import genderclient\n"
        "assert all(getattr(genderclient, name) for name in genderclient.__all__)\n"
        "assert not hasattr(genderclient, 'nothing')"
    )
    assert {"genderclient.experiments", "genderclient.fetching", "genderclient.hedging"} <= modules


def test_stop_iteration_of_transport_does_not_end_flow() -> None:
    def respond(request: InferenceRequest) -> InferenceResponse:
        raise StopIteration

    with pytest.raises(StopIteration):
        make_client(FakeTransport(respond)).predict()
