"""Ask both backbones about every sample, through the SDK as business code would."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from genderclient import Client, InvalidInput, Prediction

from .samples import Sample

MODELS: Final = ("gender_densenet", "gender_mobilenet")


@dataclass(frozen=True)
class Answer:
    """What one backbone said of one sample: a prediction, or why the input was refused."""

    sample: Sample
    model: str
    prediction: Prediction | None
    refusal: str
    milliseconds: float


def ask(client: Client, samples: Sequence[Sample]) -> list[Answer]:
    """Every sample by every model, sample by sample. The first requests, not counted, wake all instances."""
    for model in MODELS * 4:
        _ask_one(client, samples[0], model)
    return [_ask_one(client, sample, model) for sample in samples for model in MODELS]


def _ask_one(client: Client, sample: Sample, model: str) -> Answer:
    started = time.perf_counter()
    try:
        prediction = client.predict(nickname=sample.nickname, avatar=sample.avatar, model=model)
        refusal = ""
    except InvalidInput as exc:
        prediction, refusal = None, str(exc)
    return Answer(sample, model, prediction, refusal, (time.perf_counter() - started) * 1e3)
