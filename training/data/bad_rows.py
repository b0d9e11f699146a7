"""Unusable manifest rows: logged by row and reason, skipped up to a limit."""

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, Final

EXAMPLES_PER_REASON: Final = 5
_LOG: Final = logging.getLogger(__name__)


class ManifestError(ValueError):
    """The manifest cannot be used. The message names the file and the column, never a value of a row."""


class BadRows:
    """The unusable rows of one manifest. Thread-safe; each row counts once."""

    def __init__(self, file: Path, rows: int, max_share: float, name_of: Callable[[int], str]) -> None:
        """Allow `max_share` of the `rows` to be bad. `file` and `name_of` (a row's name) are for messages."""
        self.allowed = int(rows * max_share)
        self._file, self._rows, self._name_of = file, rows, name_of
        self._bad: dict[int, tuple[str, str]] = {}
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    def add(self, row: int, reason: str, details: str) -> None:
        """Record a row, numbered from 0. `details` must not contain a value of the row.

        Raises:
            ManifestError: Too many rows are bad.
        """
        with self._lock:
            if row in self._bad:
                return
            self._bad[row] = (reason, details)
            self._counts[reason] += 1
            if len(self._bad) > self.allowed:
                reasons = "; ".join(f"{each} ({', '.join(self._first(each))})" for each in sorted(self._counts))
                limit = f"more than {self.allowed} of {self._rows} rows cannot be used"
                raise ManifestError(f"{self._file}: {limit}: {reasons}")
            if self._counts[reason] <= EXAMPLES_PER_REASON:
                _LOG.warning("%s: skipped %s: %s", self._file, reason, self._describe(row))

    def report(self) -> dict[str, Any]:
        """Return the number of bad rows and the first examples of each reason."""
        reasons = {r: {"rows": count, "first": self._first(r)} for r, count in sorted(self._counts.items())}
        return {"rows": len(self._bad), "allowed": self.allowed, "reasons": reasons}

    def state(self) -> list[tuple[int, str, str]]:
        """Return everything that `restore` needs in a later process."""
        with self._lock:
            return [(row, *reason) for row, reason in self._bad.items()]

    def restore(self, state: list[tuple[int, str, str]]) -> None:
        """Continue from the `state` of an earlier process."""
        self._bad = {row: (reason, details) for row, reason, details in state}
        self._counts = Counter(reason for _, reason, _ in state)

    def _first(self, reason: str) -> list[str]:
        rows = sorted(row for row, (each, _) in self._bad.items() if each == reason)
        return [self._describe(row) for row in rows[:EXAMPLES_PER_REASON]]

    def _describe(self, row: int) -> str:
        return f"row {self._name_of(row)}: {self._bad[row][1]}"
