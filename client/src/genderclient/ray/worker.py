"""The task of a Ray worker: read a chunk's rows, score them and write the results.

Avatars and nicknames do not pass through Ray, which may write what it transfers to disk.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genderclient import GenderClientError
from genderclient.tables import ClientSettings, TableError, chunks
from genderclient.tables.parquet import ParquetTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Ray pickles it and sends it to the workers. All paths are absolute and the same on all machines."""

    table: ParquetTable
    scorer: chunks.ChunkScorer
    settings: ClientSettings
    chunk_folder: Path
    chunk_rows: int

    def score_chunk(self, item: dict[str, Any]) -> dict[str, Any]:
        """Score and write the chunk with the number `item["chunk"]`.

        Ray may call it again for the same chunk if it loses a worker. The file is then replaced by the same content.

        Returns:
            The number of `rows`, or the type of the `error` and its `reason`: an exception would carry a traceback.
        """
        number = int(item["chunk"])
        first_row = number * self.chunk_rows
        try:
            rows = list(self.table.rows(first_row, first_row + self.chunk_rows))
            with self.settings.client() as client:
                results = self.scorer.score(client, rows, first_row)
            chunks.write_chunk(self.chunk_folder, number, results)
        except (GenderClientError, OSError, TableError) as exc:
            kind = type(exc) if isinstance(exc, GenderClientError) else TableError
            return {"rows": 0, "error": kind.__name__, "reason": str(exc)}
        return {"rows": len(results), "error": "", "reason": ""}
