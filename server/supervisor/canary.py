"""Canary requests: a real inference of each ensemble through the SDK."""

import re
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from io import BytesIO
from typing import Final

from PIL import Image

from genderclient import Client, DeadlineExceeded, GenderClientError, Retry, Unavailable

from .snapshot import CanaryResult, Verdict

TIMEOUT_S: Final = 2.0
MAX_IN_FLIGHT: Final = 16
NICKNAME: Final = "小美"
# "Stub process 'preprocess_0_1' is not healthy" names instance 1 of instance group 0.
DEAD_STUB: Final = re.compile(r"Stub process '(.+)_\d+_\d+' is not healthy")


class CanaryClient(ExitStack):
    """Sends canary requests to one server; closed on leaving its context."""

    def __init__(self, grpc_url: str) -> None:
        super().__init__()
        self._client = self.enter_context(Client(f"grpc://{grpc_url}", timeout_s=TIMEOUT_S, retry=Retry(attempts=1)))
        self._pool = self.enter_context(ThreadPoolExecutor(MAX_IN_FLIGHT, thread_name_prefix="canary"))

    def send(self, ensembles: Collection[str]) -> dict[str, CanaryResult]:
        """Send one request to each ensemble, all at once; takes at most `TIMEOUT_S`."""
        return dict(zip(ensembles, self._pool.map(self._send_one, ensembles), strict=True))

    def _send_one(self, ensemble: str) -> CanaryResult:
        started_s = time.monotonic()
        try:
            self._client.predict(avatar=_avatar(), nickname=NICKNAME, model=ensemble)
            verdict, suspect = Verdict.ANSWERED, None
        except GenderClientError as exc:
            verdict, suspect = classify(exc)
        return CanaryResult(verdict, time.monotonic() - started_s, suspect)


def classify(error: GenderClientError) -> tuple[Verdict, str | None]:
    """What an error of the SDK says about the server, and the model that it names."""
    if dead := DEAD_STUB.search(str(error)):
        return Verdict.BROKEN, dead[1]
    return (Verdict.SILENT if isinstance(error, DeadlineExceeded | Unavailable) else Verdict.BROKEN), None


@cache
def _avatar() -> bytes:
    """A JPEG of no person, which has to be decoded all the same."""
    file = BytesIO()
    Image.radial_gradient("L").resize((132, 132)).save(file, "JPEG")
    return file.getvalue()
