"""`predict` and `rank` without a client."""

import atexit
import os
import threading
from collections.abc import Iterable
from functools import cache

from genderclient._avatar import Avatar
from genderclient._client import Client
from genderclient._config.environment import TOKEN_VARIABLE, tls_from_environment
from genderclient._features import UserFeatures
from genderclient._models import Prediction, Ranking

_lock = threading.Lock()


def predict(
    *,
    avatar: Avatar | None = None,
    nickname: str | None = None,
    model: str | None = None,
    timeout_s: float | None = None,
    embedding: bool = False,
) -> Prediction:
    """Calls `Client.predict` of a client that the whole process shares.

    The client uses the server at `GENDERCLIENT_URL`, by default `grpc://127.0.0.1:8001`, with the token
    `GENDERCLIENT_TOKEN` and the files `GENDERCLIENT_CA_FILE`, `GENDERCLIENT_CERTIFICATE_FILE` and
    `GENDERCLIENT_KEY_FILE`. It is closed when Python exits. Thread-safe.
    """
    with _lock:
        client = _shared_client()
    return client.predict(avatar=avatar, nickname=nickname, model=model, timeout_s=timeout_s, embedding=embedding)


def rank(
    *,
    avatar: Avatar | None = None,
    nickname: str | None = None,
    features: Prediction | UserFeatures | None = None,
    liked: Iterable[int] = (),
    among: Iterable[int] | None = None,
    k: int = 10,
    seed: int | None = None,
    personalize: bool = True,
    model: str | None = None,
    timeout_s: float | None = None,
    embedding: bool = False,
) -> Ranking:
    """Calls `Client.rank` of the client that `predict` uses."""
    with _lock:
        client = _shared_client()
    return client.rank(
        avatar=avatar,
        nickname=nickname,
        features=features,
        liked=liked,
        among=among,
        k=k,
        seed=seed,
        personalize=personalize,
        model=model,
        timeout_s=timeout_s,
        embedding=embedding,
    )


@cache
def _shared_client() -> Client:
    client = Client(tls=tls_from_environment(), token=os.environ.get(TOKEN_VARIABLE) or None)
    atexit.register(client.close)
    return client
