"""Rows that cannot be used: told by row and reason, skipped up to a limit."""

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, Final

EXAMPLES: Final = 5
_LOG: Final = logging.getLogger(__name__)


class ManifestError(ValueError):
    """The manifest cannot be used; the message names file, column and offending value."""


class BadRows:
    """The unusable rows of one manifest. A row counts once, however often and from whichever thread it is met."""

    def __init__(self, file: Path, rows: int, share: float, name_of: Callable[[int], str]) -> None:
        """At most `share` of the manifest's `rows` may be bad; `name_of` tells where a row stands."""
        self.allowed = int(rows * share)
        self._file, self._rows, self._name_of = file, rows, name_of
        self._found: dict[int, tuple[str, str]] = {}
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    def add(self, row: int, reason: str, why: str) -> None:
        """Count a row, numbered from 0. `why` never holds a nickname.

        Raises:
            ManifestError: more rows are bad than may be.
        """
        with self._lock:
            if row in self._found:
                return
            self._found[row] = (reason, why)
            self._counts[reason] += 1
            if len(self._found) > self.allowed:
                raise ManifestError(self._too_many())
            if self._counts[reason] <= EXAMPLES:
                _LOG.warning("%s: skipped %s: %s", self._file, reason, self._where(row))

    def report(self) -> dict[str, Any]:
        """How many, and the first of each reason."""
        return {
            "rows": len(self._found),
            "allowed": self.allowed,
            "reasons": {
                reason: {"rows": count, "first": self._first(reason)} for reason, count in sorted(self._counts.items())
            },
        }

    def state(self) -> list[tuple[int, str, str]]:
        """All that is known, for `restore` in a later process."""
        with self._lock:
            return [(row, *found) for row, found in self._found.items()]

    def restore(self, state: list[tuple[int, str, str]]) -> None:
        """Know what an earlier process knew."""
        self._found = {row: (reason, why) for row, reason, why in state}
        self._counts = Counter(reason for _, reason, _ in state)

    def _first(self, reason: str) -> list[str]:
        rows = sorted(row for row, (found, _) in self._found.items() if found == reason)
        return [self._where(row) for row in rows[:EXAMPLES]]

    def _where(self, row: int) -> str:
        return f"row {self._name_of(row)}: {self._found[row][1]}"

    def _too_many(self) -> str:
        reasons = "; ".join(f"{reason} ({', '.join(self._first(reason))})" for reason in sorted(self._counts))
        return f"{self._file}: more than {self.allowed} of {self._rows} rows cannot be used: {reasons}"
