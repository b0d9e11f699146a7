"""Shadow mode: the other arms are asked too, where the caller does not wait for them."""

import asyncio
import logging
import threading

import pytest

from genderclient import (
    AsyncClient,
    AsyncFakeTransport,
    Client,
    Experiment,
    FakeTransport,
    InferenceRequest,
    InferenceResponse,
    ServerError,
    Shadow,
    Status,
    TransportError,
)
from genderclient.experiments.background import MAX_WAITING
from tests.support.client.fakes import Recorder, answer


def experiment(shadows: list[Shadow], holdout: float = 0.0) -> Experiment:
    return Experiment("x", {"a": 1.0, "b": 1.0}, overrides={"u": "a"}, on_shadow=shadows.append, holdout=holdout)


def test_the_other_arm_is_asked_the_same_under_another_name() -> None:
    shadows: list[Shadow] = []
    recorder = Recorder()
    with Client(transport=FakeTransport(recorder), experiment=experiment(shadows)) as client:
        served = client.predict(nickname="小美", user_id="u", embedding=True)
        while not shadows:
            threading.Event().wait(0.01)
    first, second = recorder.requests
    assert (first.model, second.model, first.inputs) == ("a", "b", second.inputs)
    assert first.request_id != second.request_id
    (shadow,) = shadows
    assert (shadow.exposure.arm, shadow.model, shadow.served, shadow.error) == ("a", "b", served, None)
    assert shadow.other
    assert (shadow.other.model, shadow.other.arm, len(shadow.other.embedding or ())) == ("b", "b", 256)


def test_the_caller_waits_for_no_shadow_and_one_that_fails_is_told() -> None:
    shadows: list[Shadow] = []
    gate = threading.Event()

    def respond(request: InferenceRequest) -> InferenceResponse:
        if request.model == "b":
            gate.wait(10)
            raise TransportError(Status.FAILED, "stub died")
        return answer(request)

    with Client(transport=FakeTransport(respond), experiment=experiment(shadows)) as client:
        for _ in range(2 * MAX_WAITING):
            assert client.predict(user_id="u").model == "a"
        assert not shadows
        gate.set()
        while len(shadows) < MAX_WAITING:
            threading.Event().wait(0.01)
    assert len(shadows) == MAX_WAITING  # the others were dropped
    assert all(isinstance(shadow.error, ServerError) and shadow.other is None for shadow in shadows)


def test_who_is_held_out_or_names_a_model_has_no_shadow() -> None:
    shadows: list[Shadow] = []
    recorder = Recorder()
    with Client(transport=FakeTransport(recorder), experiment=experiment(shadows, holdout=0.999)) as client:
        client.predict(user_id="somebody")
        client.predict(model="a")
    assert [request.model for request in recorder.requests] == ["gender_mobilenet", "a"]


def test_what_the_callback_raises_harms_nobody_and_shows_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def broken(shadow: Shadow) -> None:
        raise KeyError("小美")

    split = Experiment("x", {"a": 1.0, "b": 1.0}, on_shadow=broken)
    with caplog.at_level(logging.DEBUG), Client(transport=FakeTransport(answer), experiment=split) as client:
        client.predict(nickname="小美", user_id="u")
        while not caplog.records:
            threading.Event().wait(0.01)
    assert [record.getMessage() for record in caplog.records] == ["the experiment's on_shadow raised KeyError"]


def test_tasks_do_the_same() -> None:
    shadows: list[Shadow] = []

    async def respond(request: InferenceRequest) -> InferenceResponse:
        return answer(request)

    async def ask() -> None:
        async with AsyncClient(transport=AsyncFakeTransport(respond), experiment=experiment(shadows)) as client:
            await client.predict(user_id="u")
            while not shadows:
                await asyncio.sleep(0.01)

    asyncio.run(ask())
    assert [shadow.model for shadow in shadows] == ["b"]
