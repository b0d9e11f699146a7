"""Constant load through the SDK, the result of every request, and a probe of one replica."""

import math
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from random import Random
from typing import Final, Self

from genderclient import Client, GenderClientError, Prediction, Retry, Scored, User
from training.synthetic.sample_users import sample_users

# More than are ever in flight, so that requests that wait do not reduce the load.
CONCURRENCY: Final = 128
# Batches of another size change the last bits.
TOLERANCE: Final = 1e-4
PROBE_INTERVAL_S: Final = 0.1
PROBE_TIMEOUT_S: Final = 2.0

# Probabilities of male and female, then weights of avatar and nickname, by model and index of the user.
Values = tuple[float, ...]
Reference = dict[tuple[str, int], Values]


def load_users() -> list[User]:
    return [User(avatar=user.avatar, nickname=user.nickname) for user in sample_users()]


def reference_values(url: str, models: Sequence[str], users: Sequence[User]) -> Reference:
    """Predict every user with every model of a server that is in order."""
    with Client(url) as client:
        return {
            (model, index): _values(client.predict(avatar=user.avatar, nickname=user.nickname, model=model))
            for model in models
            for index, user in enumerate(users)
        }


def differ(values: Values, expected: Values) -> bool:
    """Return whether two predictions differ by more than the tolerance. NaN differs from everything."""
    return not all(math.isclose(a, b, abs_tol=TOLERANCE, rel_tol=0) for a, b in zip(values, expected, strict=True))


def _values(prediction: Prediction) -> Values:
    probabilities, weights = prediction.probabilities, prediction.weights
    return probabilities.male, probabilities.female, weights.avatar, weights.nickname


@dataclass
class Tally:
    """Counts of requests: `lost` after the SDK's retries, by the error's name."""

    sent: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    retried: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


@dataclass
class ModelTraffic:
    """Requests to one model at a constant rate, until `stop` is set."""

    model: str
    users: Sequence[User]
    expected: Reference
    per_s: float
    rng: Random
    stop: threading.Event
    order: list[int] = field(default_factory=list)

    def run(self, client: Client) -> Tally:
        """Send users in random order, and compare every answer with the reference."""
        tally = Tally()
        for scored in client.predict_many(
            self._paced_users(), concurrency=CONCURRENCY, ordered=False, model=self.model
        ):
            self._count(scored, tally)
        tally.sent = len(self.order)
        return tally

    def _paced_users(self) -> Iterator[User]:
        started_s = time.monotonic()
        while not self.stop.is_set():
            self.order.append(self.rng.randrange(len(self.users)))
            yield self.users[self.order[-1]]
            self.stop.wait(started_s + len(self.order) / self.per_s - time.monotonic())

    def _count(self, scored: Scored, tally: Tally) -> None:
        prediction = scored.prediction
        if prediction is None:
            tally.lost[type(scored.error).__name__] += 1
            return
        tally.wrong += differ(_values(prediction), self.expected[self.model, self.order[scored.index]])
        tally.retried += prediction.attempts > 1
        tally.seconds.append(prediction.latency_s)


@contextmanager
def constant_load(
    urls: Sequence[str], users: Sequence[User], expected: Reference, per_s: float, seed: int
) -> Iterator[Tally]:
    """Send `per_s` requests a second to each model, spread over all servers. The tally is complete on exit."""
    stop, tally = threading.Event(), Tally()
    models = dict.fromkeys(model for model, _ in expected)
    traffic = [ModelTraffic(model, users, expected, per_s, Random(f"{seed}/{model}"), stop) for model in models]
    with Client(urls) as client, ThreadPoolExecutor(len(traffic)) as pool:
        running = [pool.submit(each.run, client) for each in traffic]
        try:
            yield tally
        finally:
            stop.set()
        for future in running:
            tally.add(future.result())


class RecoveryProbe:
    """Requests every model of one server repeatedly, without retries, and records the last failure."""

    def __init__(self, http_url: str, models: Sequence[str]) -> None:
        self._client = Client(f"http://{http_url}", timeout_s=PROBE_TIMEOUT_S, retry=Retry(attempts=1))
        self._stop = threading.Event()
        self.last_failure_s = -math.inf
        self._answered_s = dict.fromkeys(models, -math.inf)
        self._threads = [threading.Thread(target=self._run, args=(model,)) for model in models]

    def healthy_s(self, since_s: float) -> float:
        """Return for how many seconds every model has answered, since `since_s` on the monotonic clock at most."""
        since_s = max(since_s, self.last_failure_s)
        return time.monotonic() - since_s if min(self._answered_s.values()) > since_s else 0.0

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
        while not self._stop.wait(PROBE_INTERVAL_S):
            try:
                self._client.predict(nickname="小美", model=model)
                self._answered_s[model] = time.monotonic()
            except GenderClientError:
                self.last_failure_s = time.monotonic()
