"""The project's own commands, as a user types them."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from genderclient import Client, GenderClientError, Retry
from training.synthetic.preference_sessions import Sessions

from .exposures import ask
from .town import Town

TIMEOUT_S: Final = 900.0


class CommandFailed(RuntimeError):
    """A command of the loop failed."""


def run(module: str, *arguments: object) -> str:
    """Run `python -m module` and return what it prints.

    Raises:
        CommandFailed: It exits with another status than 0.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    if finished.returncode:
        raise CommandFailed(f"{module}: {(finished.stderr or finished.stdout).strip()[-2000:]}")
    return finished.stdout


@dataclass
class Load:
    """Requests to the served ranker while it changes: answers by version, and the kinds of errors."""

    versions: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """Number of requests."""
        return sum(self.versions.values()) + len(self.errors)


@contextmanager
def under_load(url: str, town: Town, visits: Sessions) -> Iterator[Load]:
    """Rank for one visit after another, without retries, until the block ends."""
    load, stopped = Load(), threading.Event()

    def send(client: Client) -> None:
        row = 0
        while not stopped.is_set():
            try:
                version = ask(client, town, visits, row % len(visits), k=10).version
                load.versions[version] = load.versions.get(version, 0) + 1
            except GenderClientError as exc:
                load.errors.append(type(exc).__name__)
            row += 1

    with Client(url, retry=Retry(attempts=1)) as client:
        thread = threading.Thread(target=send, args=(client,))
        thread.start()
        try:
            yield load
        finally:
            stopped.set()
            thread.join()
