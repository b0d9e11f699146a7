"""`predict` for those who need no client of their own."""

import atexit
import threading
from functools import cache
from typing import TYPE_CHECKING

from genderclient._client import Client
from genderclient._models import Prediction

if TYPE_CHECKING:
    from genderclient._avatar import Avatar

_lock = threading.Lock()


def predict(
    *,
    avatar: "Avatar | None" = None,
    nickname: str | None = None,
    model: str | None = None,
    timeout_s: float | None = None,
    embedding: bool = False,
) -> Prediction:
    """`Client.predict` of a client that the whole process shares, for the server at `GENDERCLIENT_URL`.

    Without that variable it asks `grpc://127.0.0.1:8001`. Safe from several threads; closed when Python exits.
    """
    return _shared_client().predict(
        avatar=avatar, nickname=nickname, model=model, timeout_s=timeout_s, embedding=embedding
    )


def _shared_client() -> Client:
    with _lock:
        return _open_client()


@cache
def _open_client() -> Client:
    client = Client()
    atexit.register(client.close)
    return client
