"""Real inferences of every ensemble through the SDK, all at once."""

import re
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from io import BytesIO
from types import TracebackType
from typing import Final, Self

from PIL import Image

from genderclient import Client, DeadlineExceeded, GenderClientError, Retry, Unavailable

from .policy import Canary, Verdict

TIMEOUT_S: Final = 2.0
MAX_AT_ONCE: Final = 16
NICKNAME: Final = "小美"
# "Stub process 'preprocess_0_1' is not healthy": the second instance of a model's first group.
STUB_DIED: Final = re.compile(r"Stub process '(.+)_\d+_\d+' is not healthy")


class Canaries:
    """Asks one server; `ensembles` are the models to ask."""

    def __init__(self, grpc_url: str, ensembles: Iterable[str]) -> None:
        self._ensembles = list(ensembles)
        self._client = Client(f"grpc://{grpc_url}", timeout_s=TIMEOUT_S, retry=Retry(attempts=1))
        self._pool = ThreadPoolExecutor(MAX_AT_ONCE, thread_name_prefix="canary")

    def follow(self, ensembles: Iterable[str]) -> None:
        """Ask these from now on."""
        self._ensembles = list(ensembles)

    def ask(self) -> dict[str, Canary]:
        """How each ensemble fares now; takes `TIMEOUT_S` at most."""
        return dict(zip(self._ensembles, self._pool.map(self._ask, self._ensembles), strict=True))

    def close(self) -> None:
        self._pool.shutdown()
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, ensemble: str) -> Canary:
        started_s = time.monotonic()
        try:
            self._client.predict(avatar=_avatar(), nickname=NICKNAME, model=ensemble)
            verdict, suspect = Verdict.ANSWERED, None
        except GenderClientError as exc:
            verdict, suspect = read_error(exc)
        return Canary(verdict, time.monotonic() - started_s, suspect)


def read_error(error: GenderClientError) -> tuple[Verdict, str | None]:
    """What an error of the SDK says of the server, and the model that it names."""
    if died := STUB_DIED.search(str(error)):
        return Verdict.BROKEN, died[1]
    return (Verdict.SILENT if isinstance(error, DeadlineExceeded | Unavailable) else Verdict.BROKEN), None


@cache
def _avatar() -> bytes:
    """A picture that has to be decoded and is nobody's."""
    file = BytesIO()
    Image.radial_gradient("L").resize((132, 132)).save(file, "JPEG")
    return file.getvalue()
