"""Results."""

import asyncio
import dataclasses
import json
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter

from genderclient import Prediction, Probabilities, Weights


def predicted(male: float, avatar: float = 0.5, nickname: float = 0.5, unknown_below: float = 0.6) -> Prediction:
    return Prediction(
        probabilities=Probabilities(male=male, female=1 - male),
        weights=Weights(avatar=avatar, nickname=nickname),
        model="gender_mobilenet",
        version="1",
        unknown_below=unknown_below,
    )


@pytest.mark.parametrize(
    ("prediction", "gender", "probability"),
    [
        (predicted(0.75), "male", 0.75),
        (predicted(0.25), "female", 0.75),
        (predicted(0.5), "unknown", 0.5),
        (predicted(0.75, unknown_below=0.75), "male", 0.75),
        (predicted(0.75, unknown_below=0.8), "unknown", 0.75),
        (predicted(0.75, avatar=0, nickname=0), "unknown", 0.75),
        (predicted(0.75, avatar=0, nickname=1), "male", 0.75),
    ],
)
def test_gender(prediction: Prediction, gender: str, probability: float) -> None:
    assert (prediction.gender, prediction.probability) == (gender, probability)


def test_repr() -> None:
    assert repr(predicted(0.75, avatar=0.25, nickname=0.75)) == (
        "Prediction(male 0.750, weights avatar 0.25 nickname 0.75, gender_mobilenet version 1)"
    )


def test_to_dict_is_json() -> None:
    assert json.loads(json.dumps(predicted(0.75).to_dict())) == {
        "gender": "male",
        "probability": 0.75,
        "probabilities": {"male": 0.75, "female": 0.25},
        "weights": {"avatar": 0.5, "nickname": 0.5},
        "model": "gender_mobilenet",
        "version": "1",
        "unknown_below": 0.6,
        "arm": None,
        "latency_s": 0.0,
        "attempts": 1,
        "request_id": "",
        "avatar_error": None,
    }


COMPLETE = {"gender": "male", "probability": 0.75, "model": "gender_mobilenet", "arm": None, "avatar_error": None}


def served(prediction: Prediction) -> Any:
    """The JSON that FastAPI makes of a function that returns `Prediction`."""
    app, sent = FastAPI(), []

    @app.get("/")
    def respond() -> Prediction:
        return prediction

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message.get("body", b""))

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], "root_path": ""}
    asyncio.run(app({**scope, "raw_path": b"/", "http_version": "1.1", "scheme": "http"}, receive, send))  # type: ignore[arg-type]
    return json.loads(b"".join(sent))


@pytest.mark.parametrize("serialize", [dataclasses.asdict, TypeAdapter(Prediction).dump_python, served])
def test_every_serialization_is_complete(serialize: Any) -> None:
    plain = serialize(predicted(0.75))
    assert {name: plain[name] for name in COMPLETE} == COMPLETE
    assert plain.keys() == predicted(0.75).to_dict().keys() | {"embedding"}


def test_prediction_is_frozen_and_recomputed() -> None:
    prediction = predicted(0.75)
    with pytest.raises(dataclasses.FrozenInstanceError):
        prediction.gender = "female"  # type: ignore[misc]
    assert dataclasses.replace(prediction, unknown_below=0.9).gender == "unknown"
    assert TypeAdapter(Prediction).validate_json(TypeAdapter(Prediction).dump_json(prediction)) == prediction
