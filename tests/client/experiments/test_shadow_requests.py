"""Shadow requests: copies to the other arms, which the caller does not wait for."""

import asyncio
import logging
import threading
from collections.abc import Callable

import pytest

from genderclient import (
    AsyncClient,
    AsyncFakeTransport,
    Client,
    Experiment,
    FakeTransport,
    Hedge,
    InferenceRequest,
    InferenceResponse,
    Prediction,
    ServerError,
    Shadow,
    Status,
    TransportError,
)
from genderclient.experiments.shadow_requests import MAX_WAITING
from tests.support.client.fakes import Recorder, respond_male, respond_male_async
from tests.support.waiting import wait_until


def experiment(on_shadow: Callable[[Shadow], None], holdout: float = 0.0) -> Experiment:
    return Experiment("x", {"a": 1.0, "b": 1.0}, overrides={"u": "a"}, on_shadow=on_shadow, holdout=holdout)


def test_other_arm_gets_a_copy_with_its_own_id() -> None:
    shadows: list[Shadow] = []
    recorder = Recorder()
    split = experiment(shadows.append)
    # Shadow requests are neither retried nor hedged.
    with Client(transport=FakeTransport(recorder), experiment=split, hedge=Hedge(after_s=5)) as client:
        served = client.predict(nickname="小美", user_id="u", embedding=True)
        wait_until(lambda: shadows)
    first, second = recorder.requests
    assert (first.model, second.model, first.inputs) == ("a", "b", second.inputs)
    assert first.request_id != second.request_id
    (shadow,) = shadows
    assert (shadow.exposure.arm, shadow.model, shadow.served, shadow.error) == ("a", "b", served, None)
    assert isinstance(shadow.other, Prediction)
    assert (shadow.other.model, shadow.other.arm, len(shadow.other.embedding or ())) == ("b", "b", 256)


def test_caller_does_not_wait_and_excess_is_dropped() -> None:
    shadows: list[Shadow] = []
    gate = threading.Event()

    def respond(request: InferenceRequest) -> InferenceResponse:
        if request.model == "b":
            gate.wait(10)
            raise TransportError(Status.FAILED, "stub died")
        return respond_male(request)

    with Client(transport=FakeTransport(respond), experiment=experiment(shadows.append)) as client:
        for _ in range(2 * MAX_WAITING):
            assert client.predict(user_id="u").model == "a"
        assert not shadows
        gate.set()
        wait_until(lambda: len(shadows) == MAX_WAITING)
    assert len(shadows) == MAX_WAITING
    assert all(isinstance(shadow.error, ServerError) and shadow.other is None for shadow in shadows)


def test_request_in_flight_while_the_client_is_closed_keeps_its_result() -> None:
    def respond(request: InferenceRequest) -> InferenceResponse:
        client.close()  # as another thread could
        return respond_male(request)

    client = Client(transport=FakeTransport(respond), experiment=experiment(lambda shadow: None))
    assert client.predict(user_id="u").model == "a"


def test_holdout_and_named_model_have_no_shadow() -> None:
    recorder = Recorder()
    split = experiment(lambda shadow: None, holdout=0.999)
    with Client(transport=FakeTransport(recorder), experiment=split) as client:
        client.predict(user_id="somebody")
        client.predict(model="a")
    assert [request.model for request in recorder.requests] == ["gender_mobilenet", "a"]


def test_error_of_callback_is_logged_by_type(caplog: pytest.LogCaptureFixture) -> None:
    def broken(shadow: Shadow) -> None:
        raise KeyError("小美")

    split = experiment(broken)
    with caplog.at_level(logging.DEBUG), Client(transport=FakeTransport(respond_male), experiment=split) as client:
        client.predict(nickname="小美", user_id="u")
        wait_until(lambda: caplog.records)
    assert [record.getMessage() for record in caplog.records] == ["the experiment's on_shadow raised KeyError"]


def test_tasks_send_shadow_requests() -> None:
    shadows: list[Shadow] = []

    async def predict() -> None:
        transport, split = AsyncFakeTransport(respond_male_async), experiment(shadows.append)
        async with AsyncClient(transport=transport, experiment=split) as client:
            await client.predict(user_id="u")
            while not shadows:
                await asyncio.sleep(0.01)

    asyncio.run(predict())
    assert [shadow.model for shadow in shadows] == ["b"]
