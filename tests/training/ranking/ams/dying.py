"""Parts that end their process in the middle of a step, once."""

import os
from pathlib import Path
from typing import Any

from training.ranking.ams.replica import Ticket
from training.ranking.ams.servers import ModelServer
from training.ranking.ams.workers import AmsWorker

AT_STEP = 2


def die_once(marker: Path, ticket: Ticket) -> None:
    """End this process at a step, unless the file says that it already did."""
    if ticket.step == AT_STEP and not marker.exists():
        marker.touch()
        os._exit(1)


class DyingServer(ModelServer):
    """Dies when a worker has its vectors and sends the gradients."""

    def __init__(self, name: str, compression: Any, seed: int, file: Path, index: int, servers: int) -> None:
        super().__init__(name, compression, seed, file, index, servers)
        self.marker = file.with_name(f"{name} died")

    def update(self, ticket: Ticket, worker: str, gradients: Any) -> None:
        die_once(self.marker, ticket)
        super().update(ticket, worker, gradients)


class DyingWorker(AmsWorker):
    """Dies when some servers have its gradients and it has not said so."""

    def __init__(self, name: str, samples: Path, deduplicate: bool, servers: Any) -> None:
        super().__init__(name, samples, deduplicate, servers)
        self.marker = samples.with_name(f"{name} died")

    def _update(self, ticket: Ticket, gradients: Any) -> None:
        super()._update(ticket, gradients)
        die_once(self.marker, ticket)
