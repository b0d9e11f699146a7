"""A steady load through the SDK, and what became of every request."""

import math
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Final, Self

from genderclient import Client, GenderClientError, Prediction, Retry, Scored, User
from server.catalog import GENDER, Catalog
from server.launch.process import ROOT
from training.synthetic.sample_users import sample_users

# Far more than are ever under way, so that the load goes on while some of them wait.
CONCURRENCY: Final = 128
MODELS: Final = [each.name for each in Catalog(ROOT / "model_repository").ensembles(GENDER) if not each.is_canary]
# What batches of another size may change in the last bits.
TOLERANCE: Final = 1e-4
PROBE_S: Final = 0.1
PROBE_TIMEOUT_S: Final = 2.0

Answers = dict[tuple[str, int], tuple[float, ...]]


def crowd() -> list[User]:
    """Users of every kind."""
    return [User(avatar=sample.avatar, nickname=sample.nickname) for sample in sample_users()]


def answers(url: str, users: Sequence[User]) -> Answers:
    """What a server answers each user, by model and position: probabilities, then weights."""
    with Client(url) as client:
        return {
            (model, index): _numbers(client.predict(avatar=user.avatar, nickname=user.nickname, model=model))
            for model in MODELS
            for index, user in enumerate(users)
        }


def differ(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether two answers are not the same beyond float tolerance."""
    return not all(math.isclose(a, b, abs_tol=TOLERANCE, rel_tol=0) for a, b in zip(one, other, strict=True))


def _numbers(prediction: Prediction) -> tuple[float, ...]:
    probabilities, weights = prediction.probabilities, prediction.weights
    return probabilities.male, probabilities.female, weights.avatar, weights.nickname


@dataclass
class Tally:
    """Requests sent and what came back: `lost` by the error's name, the others as counts."""

    sent: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    doubled: int = 0
    wrong: int = 0
    retried: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        self.sent += other.sent
        self.lost += other.lost
        self.doubled += other.doubled
        self.wrong += other.wrong
        self.retried += other.retried
        self.seconds += other.seconds


@dataclass
class Stream:
    """One model's users at so many a second, until told to stop."""

    model: str
    users: Sequence[User]
    expected: Answers
    per_s: float
    dice: Random
    stop: threading.Event
    order: list[int] = field(default_factory=list)

    def run(self, client: Client) -> Tally:
        """Send them all, and compare every answer with the one expected."""
        tally, seen = Tally(), Counter[int]()
        for scored in client.predict_many(self._paced(), concurrency=CONCURRENCY, ordered=False, model=self.model):
            seen[scored.index] += 1
            self._count(scored, tally)
        tally.sent = len(self.order)
        tally.doubled = sum(times - 1 for times in seen.values())
        tally.lost["never came back"] = tally.sent - len(seen)
        return tally

    def _paced(self) -> Iterator[User]:
        started_s = time.monotonic()
        while not self.stop.is_set():
            self.order.append(self.dice.randrange(len(self.users)))
            yield self.users[self.order[-1]]
            self.stop.wait(started_s + len(self.order) / self.per_s - time.monotonic())

    def _count(self, scored: Scored, tally: Tally) -> None:
        prediction = scored.prediction
        if prediction is None:
            tally.lost[type(scored.error).__name__] += 1
            return
        tally.wrong += differ(_numbers(prediction), self.expected[self.model, self.order[scored.index]])
        tally.retried += prediction.attempts > 1
        tally.seconds.append(prediction.latency_s)


@contextmanager
def steady_load(
    urls: Sequence[str], users: Sequence[User], expected: Answers, per_s: float, seed: int
) -> Iterator[Tally]:
    """Load on all servers together while entered, `per_s` requests of each model; the tally is complete when left."""
    stop, tally = threading.Event(), Tally()
    streams = [Stream(model, users, expected, per_s, Random(f"{seed}/{model}"), stop) for model in MODELS]
    with Client(urls) as client, ThreadPoolExecutor(len(streams)) as pool:
        running = [pool.submit(stream.run, client) for stream in streams]
        try:
            yield tally
        finally:
            stop.set()
        for each in running:
            tally.add(each.result())


class Probe:
    """Asks one server for every model again and again, and remembers when it could not answer."""

    def __init__(self, http_url: str) -> None:
        self._client = Client(f"http://{http_url}", timeout_s=PROBE_TIMEOUT_S, retry=Retry(attempts=1))
        self._stop = threading.Event()
        self.last_failure_s = -math.inf
        self._answered = dict.fromkeys(MODELS, -math.inf)
        self._threads = [threading.Thread(target=self._run, args=(model,)) for model in MODELS]

    def calm_s(self, since_s: float) -> float:
        """For how many seconds of those since a moment of the monotonic clock every model has answered."""
        since_s = max(since_s, self.last_failure_s)
        return time.monotonic() - since_s if min(self._answered.values()) > since_s else 0.0

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._client.close()

    def _run(self, model: str) -> None:
        while not self._stop.wait(PROBE_S):
            try:
                self._client.predict(nickname="小美", model=model)
                self._answered[model] = time.monotonic()
            except GenderClientError:
                self.last_failure_s = time.monotonic()
