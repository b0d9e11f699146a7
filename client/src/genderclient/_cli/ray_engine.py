"""The same job by Ray Data: each part is a task of its own, done by whichever worker is free.

What Ray promises is that a task is done at least once. That every row is there once comes from the parts: each has a
name of its own, and is put into its place whole.
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

# Read when Ray is imported. It tells nobody that it is used; alone on this machine it listens on loopback only, to
# those who know a token of this process, and leaves none in the home folder.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
if not os.environ.get("RAY_ADDRESS"):
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))

import ray
import ray.data
from ray.exceptions import RayError
from tqdm import tqdm

from genderclient._cli import parts
from genderclient._cli.columns import Columns
from genderclient._cli.connection import Connection
from genderclient._cli.dataset import Dataset
from genderclient._cli.ray_worker import Worker
from genderclient._cli.scoring import Job, JobError
from genderclient._cli.tables import TableError
from genderclient._exceptions import GenderClientError

CONNECT_S: Final = 10.0


class RayJob(Job):
    """A job over Parquet. Raises JobError also for other tables."""

    def __init__(self, users: Path, output: Path, columns: Columns, connection: Connection) -> None:
        super().__init__(users, output, columns, connection)
        if self._total is None:
            raise JobError(f"{users}: Ray reads Parquet, a file or a folder of them; leave --engine ray out")

    def _score(self, concurrency: int, bar: "tqdm[Any]") -> None:
        dataset = Dataset.of(file.resolve() for file in self._files)
        wanted = set(range(-(-dataset.starts[-1] // parts.ROWS)))
        if left := sorted(wanted - parts.finished(self._parts)):
            with _cluster():
                for said in _everywhere(self._worker(dataset, concurrency), left):
                    if said["error"]:
                        raise _error(said)
                    bar.update(said["rows"])
        if lost := wanted - parts.finished(self._parts):
            raise JobError(
                f"{self._parts}: {len(lost)} parts are not here; all machines must see the same folder there"
            )

    def _worker(self, dataset: Dataset, concurrency: int) -> Worker:
        ca_file = self._connection.ca_file
        return Worker(
            dataset=dataset,
            scorer=parts.Scorer(columns=self._columns, pictures=self._pictures.resolve(), concurrency=concurrency),
            connection=replace(self._connection, ca_file=ca_file and ca_file.resolve()),
            folder=self._parts.resolve(),
            part_rows=parts.ROWS,
        )


def _error(said: dict[str, Any]) -> TableError | GenderClientError:
    return (TableError if said["error"] == TableError.__name__ else GenderClientError)(said["reason"])


def _everywhere(worker: Worker, numbers: list[int]) -> Iterator[dict[str, Any]]:
    """What the workers say of these parts, as they are done."""
    # The command has a bar of its own, and says itself what went wrong.
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    work = ray.data.from_items([{"part": number} for number in numbers], override_num_blocks=len(numbers))
    yield from work.map(worker.do).iter_rows()


@contextmanager
def _cluster() -> Iterator[None]:
    """The cluster of `RAY_ADDRESS`; without one, this machine's cores for as long as this lasts.

    Raises GenderClientError where Ray fails.
    """
    with tempfile.TemporaryDirectory(prefix="genderclient-", ignore_cleanup_errors=True) as folder:
        try:
            ray.init(**_where(folder), log_to_driver=False, logging_level=logging.ERROR)
            yield
        except (RayError, ConnectionError) as exc:
            raise GenderClientError(f"Ray: {exc}") from exc
        finally:
            ray.shutdown()


def _where(folder: str) -> dict[str, Any]:
    if address := os.environ.get("RAY_ADDRESS"):
        _check_reachable(address)
        return {"address": address}
    return {"address": "local", "include_dashboard": False, "_temp_dir": folder}


def _check_reachable(address: str) -> None:
    """Raises GenderClientError where nobody listens: Ray itself would try for many minutes, and say nothing."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
    except OSError as exc:
        raise GenderClientError(f"RAY_ADDRESS {address}: {exc}; is the cluster running? `ray start` says how") from exc
