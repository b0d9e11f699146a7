"""Logs failed requests as JSON lines on stdout, in the format of `server/README.md`.

A line names the request and the reason, never an input or a prediction.
"""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

# More lines in a second are counted, so that a flood of bad requests cannot fill the disk.
LINES_PER_S: Final = 10
ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")


class RequestLog:
    """Writes at most `LINES_PER_S` lines in a second; `source` names the model or the backend."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._second = self._lines = self._unlogged = 0

    def write(self, level: str, request_id: str, **reason: object) -> None:
        """Log a failed request; ids that are not made of 1 to 64 letters, digits and hyphens are left out."""
        now_s = time.time()
        if int(now_s) != self._second:
            self._second, self._lines = int(now_s), 0
        self._lines += 1
        if self._lines > LINES_PER_S:
            self._unlogged += 1
            return
        line = {
            "time": datetime.fromtimestamp(now_s, UTC).isoformat(timespec="milliseconds"),
            "level": level,
            "source": self._source,
            "event": "request_failed",
            "request": request_id if ID.fullmatch(request_id) else "",
            **reason,
            "unlogged": self._unlogged,
        }
        self._unlogged = 0
        with suppress(OSError):  # a full disk
            print(json.dumps(line), flush=True)
