"""Log lines as JSON objects on stdout, in the format of `server/README.md`."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

Level = Literal["info", "warning", "error"]


def log_event(source: str, event: str, message: str, level: Level = "info", **fields: object) -> None:
    """Print one line of ASCII, which no locale and no name of a file can fail; a full disk is no reason to stop."""
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = {"time": time, "level": level, "source": source, "event": event, "message": message, **fields}
    with suppress(OSError):
        print(json.dumps(line), flush=True)
