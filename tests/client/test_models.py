"""Results."""

import json

import pytest

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
