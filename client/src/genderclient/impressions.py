"""What was shown to whom: the record that an off-policy estimate and the next training read."""

import errno
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from genderclient._flow import Call, Extension, Flow
from genderclient._models import Ranking
from genderclient._questions.question import R


@dataclass(frozen=True, slots=True, kw_only=True)
class Impression:
    """The pictures that one call of `rank` gave to a user, best first. It holds neither avatar nor nickname.

    Attributes:
        request_id: Identifies the list, for example in a log of clicks.
        user: The `user_id` of the call.
        time: Seconds since 1970, UTC.
        pictures: The ids of the pictures.
        propensities: The probability of each picture at its place, given those above it.
        scores: The calibrated probability that the user likes each.
        model: The model that ranked.
        version: The version of that model.
        arm: The user's arm in the client's experiment.
    """

    request_id: str
    user: str = field(repr=False)
    time: float
    pictures: tuple[int, ...]
    propensities: tuple[float, ...]
    scores: tuple[float, ...]
    model: str
    version: str
    arm: str | None = None

    @classmethod
    def of(cls, user: str, ranking: Ranking) -> "Impression":
        """The impression of a ranking that a user sees now."""
        return cls(
            request_id=ranking.request_id,
            user=user,
            time=time.time(),
            pictures=ranking.pictures,
            propensities=ranking.propensities,
            scores=ranking.scores,
            model=ranking.model,
            version=ranking.version,
            arm=ranking.arm,
        )


class ImpressionLog:
    """Appends impressions to `<folder>/<day>.jsonl`, one line each: `Client(on_impression=ImpressionLog("shown"))`.

    Days are UTC. Threads and processes may write to the same folder. `training.ranking.impressions` reads it.

    Args:
        folder: Is created with the first impression.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        self._is_cut = False

    def __call__(self, impression: Impression) -> None:
        """Writes one line. Raises OSError if that fails; what a full disk cut remains as a line of its own."""
        day = datetime.fromtimestamp(impression.time, timezone.utc).date()
        start = "\n" if self._is_cut else ""
        line = f"{start}{json.dumps(asdict(impression), ensure_ascii=False)}\n".encode(errors="surrogatepass")
        self._folder.mkdir(parents=True, exist_ok=True)
        # One write to a file in append mode does not mix with those of other threads and processes.
        with (self._folder / f"{day}.jsonl").open("ab", buffering=0) as file:
            self._is_cut = file.write(line) < len(line)
        if self._is_cut:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@dataclass(frozen=True, slots=True)
class ImpressionReports(Extension):
    """Reports each ranking of a user whose id is known."""

    report: Callable[[Impression], Any]

    def handle(self, call: Call[R], proceed: Callable[[Call[R]], Flow[R]]) -> Flow[R]:
        result = yield from proceed(call)
        if isinstance(result, Ranking) and call.user_id is not None:
            self.report(Impression.of(call.user_id, result))
        return result
