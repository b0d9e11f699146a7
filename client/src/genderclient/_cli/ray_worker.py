"""What a worker of Ray does: it reads the rows of a part itself, scores them, and writes what was found.

Neither avatars nor nicknames pass through Ray, which may keep on a disk what it carries.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from genderclient._cli import parts
from genderclient._cli.connection import Connection
from genderclient._cli.dataset import Dataset
from genderclient._cli.tables import Row, TableError
from genderclient._exceptions import DeadlineExceeded, GenderClientError, Unavailable

# A part is begun so often, each time after the server came back; a server that stays away longer stops the job.
TRIES: Final = 3
AWAY_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Travels to where it is to work: all paths are absolute, and the same on all machines."""

    dataset: Dataset
    scorer: parts.Scorer
    connection: Connection
    folder: Path
    part_rows: int

    def do(self, item: dict[str, Any]) -> dict[str, Any]:
        """Score and write the part numbered `item["part"]`; says how many `rows` it has, or the `error` and `reason`.

        Ray may ask for the same part again, where it lost a worker; its file is then replaced by the same.
        """
        number = int(item["part"])
        try:
            rows = self._scored(number * self.part_rows)
            parts.write(self.folder, number, rows)
        except GenderClientError as exc:
            return _said(error=type(exc).__name__, reason=str(exc))
        except (OSError, TableError) as exc:
            return _said(error=TableError.__name__, reason=str(exc))
        return _said(rows=len(rows))

    def _scored(self, first: int) -> list[Row]:
        part = list(self.dataset.rows(self.scorer.columns.names(), first, first + self.part_rows))
        with self.connection.open() as client:
            for _ in range(TRIES - 1):
                try:
                    return self.scorer.score(client, part, first)
                except (Unavailable, DeadlineExceeded):
                    client.wait_until_ready(AWAY_S)
            return self.scorer.score(client, part, first)


def _said(*, rows: int = 0, error: str = "", reason: str = "") -> dict[str, Any]:
    return {"rows": rows, "error": error, "reason": reason}
