"""Canary requests: a real inference of each ensemble through the SDK."""

import re
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from io import BytesIO
from typing import Final

from PIL import Image

from genderclient import (
    Client,
    DeadlineExceeded,
    GenderClientError,
    Probabilities,
    Retry,
    Unavailable,
    UserFeatures,
)
from server.catalog import EMBED, GENDER, RANK, SCREEN, SIMILAR, Ensemble

from .snapshot import CanaryResult, Verdict

TIMEOUT_S: Final = 2.0
MAX_IN_FLIGHT: Final = 16
NICKNAME: Final = "小美"
EMBEDDING_SIZE: Final = 256
# "Stub process 'preprocess_0_1' is not healthy" names instance 1 of instance group 0.
DEAD_STUB: Final = re.compile(r"Stub process '(.+)_\d+_\d+' is not healthy")


class CanaryClient(ExitStack):
    """Sends canary requests to one server; closed on leaving its context."""

    def __init__(self, grpc_url: str) -> None:
        super().__init__()
        self._client = self.enter_context(Client(f"grpc://{grpc_url}", timeout_s=TIMEOUT_S, retry=Retry(attempts=1)))
        self._pool = self.enter_context(ThreadPoolExecutor(MAX_IN_FLIGHT, thread_name_prefix="canary"))

    def send(self, ensembles: Iterable[Ensemble]) -> dict[str, CanaryResult]:
        """Send one request to each ensemble of a role in `QUESTIONS`, all at once; takes at most `TIMEOUT_S`."""
        asked = list(ensembles)
        return dict(zip((each.name for each in asked), self._pool.map(self._send_one, asked), strict=True))

    def _send_one(self, ensemble: Ensemble) -> CanaryResult:
        started_s = time.monotonic()
        try:
            QUESTIONS[ensemble.role](self._client, ensemble)
        except GenderClientError as exc:
            verdict, suspect = classify(exc)
            return CanaryResult(verdict, time.monotonic() - started_s, suspect, exc.request_id, str(exc))
        return CanaryResult(Verdict.ANSWERED, time.monotonic() - started_s)


def _predict(client: Client, ensemble: Ensemble) -> None:
    client.predict(avatar=_picture(), nickname=NICKNAME, model=ensemble.name)


def _embed(client: Client, ensemble: Ensemble) -> None:
    client.embed(_picture(), NICKNAME, model=ensemble.name)


def _similar(client: Client, ensemble: Ensemble) -> None:
    client.similar(_picture(), model=ensemble.name)


def _screen(client: Client, ensemble: Ensemble) -> None:
    client.screen(_picture(), model=ensemble.name)


def _rank(client: Client, ensemble: Ensemble) -> None:
    """Rank for a user; an ensemble without a backbone takes what was stored of one."""
    if ensemble.backbone:
        client.rank(avatar=_picture(), nickname=NICKNAME, model=ensemble.name)
    else:
        client.rank(features=FEATURES, model=ensemble.name)


FEATURES: Final = UserFeatures(embedding=[0.0] * EMBEDDING_SIZE, probabilities=Probabilities(male=0.5, female=0.5))
# What to ask an ensemble, by its role.
QUESTIONS: Final[dict[str, Callable[[Client, Ensemble], None]]] = {
    GENDER: _predict,
    EMBED: _embed,
    SIMILAR: _similar,
    SCREEN: _screen,
    RANK: _rank,
}


def classify(error: GenderClientError) -> tuple[Verdict, str | None]:
    """What an error of the SDK says about the server, and the model that it names."""
    if dead := DEAD_STUB.search(str(error)):
        return Verdict.BROKEN, dead[1]
    return (Verdict.SILENT if isinstance(error, DeadlineExceeded | Unavailable) else Verdict.BROKEN), None


def _picture() -> bytes:
    """A JPEG of no person, which has to be decoded all the same; new each time, so that no response cache has it."""
    return _jpeg() + uuid.uuid4().bytes


@cache
def _jpeg() -> bytes:
    file = BytesIO()
    Image.radial_gradient("L").resize((132, 132)).save(file, "JPEG")
    return file.getvalue()
