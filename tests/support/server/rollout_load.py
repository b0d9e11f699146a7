"""Steady load through the SDK, without retries, that remembers every answer."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from genderclient import Client, GenderClientError, Prediction, Retry

# Of each thread; enough to have some of them in flight at any moment of a command.
ENOUGH = 20
PATIENCE_S = 60.0
# Commands are to be carried out under load, not at its limit.
PAUSE_S = 0.005


class Answer(NamedTuple):
    """What a request that was sent at `sent_s` got."""

    sent_s: float
    result: Prediction | GenderClientError


class Load:
    """One thread for each server, asking one model."""

    def __init__(self, urls: Sequence[str], model: str) -> None:
        self._model = model
        self._ended = threading.Event()
        self._answers: dict[str, list[Answer]] = {url: [] for url in urls}
        self._threads = [threading.Thread(target=self._ask, args=(url,)) for url in urls]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def failed(self) -> list[str]:
        """Why, for each request that did."""
        return [str(answer.result) for answer in self._all() if isinstance(answer.result, GenderClientError)]

    def versions(self) -> set[tuple[str, float]]:
        """By version, the probabilities of all answers so far."""
        return {_kind(answer.result) for answer in self._all() if isinstance(answer.result, Prediction)}

    def now(self) -> set[tuple[str, float]]:
        """The same, of some requests of every thread that are sent from now on."""
        since_s, deadline = time.monotonic(), time.monotonic() + PATIENCE_S
        while min(map(len, found := [_sent(each, since_s) for each in self._answers.values()])) < ENOUGH:
            assert time.monotonic() < deadline, f"only {list(map(len, found))} answers in {PATIENCE_S} s"
            time.sleep(0.02)
        return {_kind(each.result) for answers in found for each in answers if isinstance(each.result, Prediction)}

    def _all(self) -> Iterator[Answer]:
        for answers in self._answers.values():
            yield from answers

    def _ask(self, url: str) -> None:
        with Client(f"grpc://{url}", model=self._model, retry=Retry(attempts=1), timeout_s=PATIENCE_S) as client:
            while not self._ended.wait(PAUSE_S):
                sent_s = time.monotonic()
                try:
                    # Another one each time: no answer comes from the server's cache.
                    result: Prediction | GenderClientError = client.predict(nickname=str(sent_s))
                except GenderClientError as exc:
                    result = exc
                self._answers[url].append(Answer(sent_s, result))


@contextmanager
def asking(urls: Sequence[str], model: str) -> Iterator[Load]:
    """Ask all the time; at the end not one request may have failed."""
    load = Load(urls, model)
    with ExitStack() as stack:
        stack.callback(load.end)
        load.start()
        yield load
    assert load.failed() == []


def _sent(answers: Sequence[Answer], since_s: float) -> list[Answer]:
    return [answer for answer in answers if answer.sent_s >= since_s]


def _kind(prediction: Prediction) -> tuple[str, float]:
    return prediction.version, round(prediction.probabilities.female, 4)
