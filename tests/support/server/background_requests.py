"""Steady requests through the SDK, without retries, that record every result."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from genderclient import Client, GenderClientError, Prediction, Retry

# Results of each thread that `sample` waits for; enough to have some in flight at any moment of a command.
SAMPLE_SIZE = 20
TIMEOUT_S = 60.0
# Keeps the load below the server's limit.
PAUSE_S = 0.005

VersionAnswer = tuple[str, float]  # a prediction's version and P(female)


class Result(NamedTuple):
    """What a request that was sent at `sent_s` got."""

    sent_s: float
    outcome: Prediction | GenderClientError


class BackgroundRequests:
    """One thread for each URL, all of which request one model."""

    def __init__(self, urls: Sequence[str], model: str) -> None:
        self._model = model
        self._stopped = threading.Event()
        self._results: dict[str, list[Result]] = {url: [] for url in urls}
        self._threads = [threading.Thread(target=self._run, args=(url,)) for url in urls]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def errors(self) -> list[str]:
        outcomes = (result.outcome for results in self._results.values() for result in results)
        return [str(outcome) for outcome in outcomes if isinstance(outcome, GenderClientError)]

    def answers(self) -> set[VersionAnswer]:
        """The distinct answers so far."""
        return _answers(result for results in self._results.values() for result in results)

    def sample(self) -> set[VersionAnswer]:
        """The distinct answers to some requests of every thread that are sent from now on."""
        since_s, deadline = time.monotonic(), time.monotonic() + TIMEOUT_S
        while min(map(len, sample := [_sent(each, since_s) for each in self._results.values()])) < SAMPLE_SIZE:
            assert time.monotonic() < deadline, f"only {list(map(len, sample))} answers in {TIMEOUT_S} s"
            time.sleep(0.02)
        return _answers(result for results in sample for result in results)

    def _run(self, url: str) -> None:
        with Client(f"grpc://{url}", model=self._model, retry=Retry(attempts=1), timeout_s=TIMEOUT_S) as client:
            while not self._stopped.wait(PAUSE_S):
                sent_s = time.monotonic()
                try:
                    # Distinct nicknames bypass the server's response cache.
                    outcome: Prediction | GenderClientError = client.predict(nickname=str(sent_s))
                except GenderClientError as exc:
                    outcome = exc
                self._results[url].append(Result(sent_s, outcome))


@contextmanager
def background_requests(urls: Sequence[str], model: str) -> Iterator[BackgroundRequests]:
    """Send requests until the context ends; fails if a single one failed."""
    requests = BackgroundRequests(urls, model)
    with ExitStack() as stack:
        stack.callback(requests.stop)
        requests.start()
        yield requests
    assert requests.errors() == []


def _sent(results: Sequence[Result], since_s: float) -> list[Result]:
    return [result for result in results if result.sent_s >= since_s]


def _answers(results: Iterator[Result]) -> set[VersionAnswer]:
    predictions = (result.outcome for result in results if isinstance(result.outcome, Prediction))
    return {(each.version, round(each.probabilities.female, 4)) for each in predictions}
