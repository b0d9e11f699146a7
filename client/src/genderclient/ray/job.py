"""A job over a table on Ray Data. Each chunk is one task, which runs on any free worker.

Ray runs a task at least once. Every row is still written once, because a chunk's file has a name of its own and is
complete when it appears.
"""

import logging
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

# Ray reads these variables when it is imported: no usage statistics; and a cluster on this machine alone listens on
# loopback, requires a token of this process, and writes no token to the home folder.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
if not os.environ.get("RAY_ADDRESS"):
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))

import ray
import ray.data
from ray.exceptions import RayError
from tqdm import tqdm

from genderclient import GenderClientError
from genderclient.ray.worker import Worker
from genderclient.tables import TableError, TableJob, chunks
from genderclient.tables.job import CONNECT_TIMEOUT_S
from genderclient.tables.parquet import ParquetTable

CLUSTER_TIMEOUT_S: Final = 10.0


class RayTableJob(TableJob):
    """A job on the cluster of `RAY_ADDRESS`, by default on the cores of this machine. It reads Parquet only."""

    def _open_table(self, files: list[Path]) -> ParquetTable:
        table = super()._open_table(files)
        if not isinstance(table, ParquetTable):
            raise TableError(
                f"{files[0]}: expected a Parquet file or a folder of them; --engine ray reads nothing else"
            )
        self._parquet = table
        return table

    def _score(self, scorer: chunks.ChunkScorer, bar: "tqdm[Any]") -> None:
        expected = set(range(-(-self._parquet.count // chunks.CHUNK_ROWS)))
        if unfinished := sorted(expected - chunks.finished_chunks(self._chunk_folder)):
            with _cluster():
                with self._settings.client() as client:
                    client.wait_until_ready(CONNECT_TIMEOUT_S, model=scorer.model)
                for report in _run_on_workers(self._worker(scorer), unfinished):
                    if report["error"]:
                        kind = TableError if report["error"] == TableError.__name__ else GenderClientError
                        raise kind(report["reason"])
                    bar.update(report["rows"])
        if missing := expected - chunks.finished_chunks(self._chunk_folder):
            raise TableError(
                f"{self._chunk_folder}: {len(missing)} chunks are missing; "
                "mount the same folder under this path on all machines"
            )

    def _worker(self, scorer: chunks.ChunkScorer) -> Worker:
        ca_file = self._settings.ca_file
        return Worker(
            table=self._parquet,
            scorer=replace(scorer, reader=replace(scorer.reader, folder=scorer.reader.folder.resolve())),
            settings=replace(self._settings, ca_file=ca_file and ca_file.resolve()),
            chunk_folder=self._chunk_folder.resolve(),
            chunk_rows=chunks.CHUNK_ROWS,
        )


def _run_on_workers(worker: Worker, numbers: list[int]) -> Iterator[dict[str, Any]]:
    """The workers' reports on these chunks, in the order in which they finish."""
    # The job has its own progress bar and reports errors itself.
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    tasks = ray.data.from_items([{"chunk": number} for number in numbers], override_num_blocks=len(numbers))
    yield from tasks.map(worker.score_chunk).iter_rows()


@contextmanager
def _cluster() -> Iterator[None]:
    """Connect to the cluster of `RAY_ADDRESS`, or run one on this machine. Ray's errors become GenderClientErrors."""
    address = os.environ.get("RAY_ADDRESS")
    with tempfile.TemporaryDirectory(prefix="genderclient-", ignore_cleanup_errors=True) as folder:
        local = {"address": "local", "include_dashboard": False, "_temp_dir": folder}
        try:
            if address:
                _check_reachable(address)
            ray.init(**({"address": address} if address else local), log_to_driver=False, logging_level=logging.ERROR)
            yield
        except GenderClientError:
            raise
        except (RayError, ConnectionError) as exc:
            raise GenderClientError(f"Ray: {exc}") from exc
        finally:
            ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raise a GenderClientError if the address does not accept connections. Ray itself retries silently for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), CLUSTER_TIMEOUT_S).close()
    except OSError as exc:
        raise GenderClientError(f"RAY_ADDRESS {address}: {exc}; is the cluster running? See `ray start`") from exc
