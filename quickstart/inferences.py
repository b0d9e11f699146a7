"""Predictions of the sample users by every ensemble, through the SDK."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from genderclient import Client, InvalidInput, Prediction
from server.catalog import Ensemble
from training.synthetic.sample_users import SampleUser

# Enough to reach every instance of a model.
WARM_UP_REQUESTS: Final = 4


@dataclass(frozen=True)
class Inference:
    """The prediction of one backbone for one user, or `error` if the input was rejected."""

    user: SampleUser
    backbone: str
    prediction: Prediction | None
    error: str
    latency_ms: float


def predict_samples(
    client: Client, users: Sequence[SampleUser], ensembles: Sequence[Ensemble]
) -> list[list[Inference]]:
    """Predict each user with each ensemble.

    Returns:
        One list per user, with one inference per ensemble.
    """
    for ensemble in ensembles:
        for _ in range(WARM_UP_REQUESTS):
            _predict(client, users[0], ensemble)
    return [[_predict(client, user, ensemble) for ensemble in ensembles] for user in users]


def _predict(client: Client, user: SampleUser, ensemble: Ensemble) -> Inference:
    start_s = time.perf_counter()
    prediction, error = None, ""
    try:
        prediction = client.predict(nickname=user.nickname, avatar=user.avatar, model=ensemble.name)
    except InvalidInput as exc:
        error = str(exc)
    return Inference(user, ensemble.backbone, prediction, error, 1000 * (time.perf_counter() - start_s))
