"""Puts a training job together: which layout, on how many servers and workers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from . import towers
from .compression import Compression
from .peer import LocalPeer, Peer
from .servers import ModelServer, Shard
from .trainer import Trainer
from .workers import AmsWorker, RawWorker, SampleWorker

# Of the compressor's first parameters.
_SEED: Final = 0

PeerMaker = Callable[..., Peer]


class Layout(StrEnum):
    """Where picture vectors are kept and compressed.

    Small vectors are `RAW` with another file of vectors.
    """

    SAMPLES = "samples"
    RAW = "raw"
    AMS = "ams"


@dataclass(frozen=True)
class Job:
    """A training job.

    Args:
        layout: Where vectors are kept and compressed.
        file: A `.npy` file of the raw vectors `[N, D]`.
        samples: A file of impressions for each worker.
        compression: The compressor.
        servers: Number of servers.
        deduplicate: Ask for each picture of a batch once.
    """

    layout: Layout
    file: Path
    samples: Sequence[Path]
    compression: Compression
    servers: int = 3
    deduplicate: bool = True

    def start(self, make: PeerMaker = LocalPeer) -> Trainer:
        """Start all parts, by default in this process.

        Args:
            make: Makes a part of a name, a class and the arguments of the class.
        """
        servers = [self._server(make, index) for index in range(self.servers if self.layout != Layout.SAMPLES else 0)]
        workers = [self._worker(make, index, file, servers) for index, file in enumerate(self.samples)]
        replicas = servers if self.layout == Layout.AMS else workers
        return Trainer(workers, servers, replicas, towers.initial(self.compression.sizes[-1]))

    def _server(self, make: PeerMaker, index: int) -> Peer:
        name = f"server {index}"
        if self.layout == Layout.AMS:
            return make(name, ModelServer, name, self.compression, _SEED, self.file, index, self.servers)
        return make(name, Shard, self.file, index, self.servers)

    def _worker(self, make: PeerMaker, index: int, file: Path, servers: Sequence[Peer]) -> Peer:
        name = f"worker {index}"
        match self.layout:
            case Layout.AMS:
                return make(name, AmsWorker, name, file, self.deduplicate, servers)
            case Layout.RAW:
                return make(name, RawWorker, name, file, self.deduplicate, self.compression, _SEED, servers)
            case Layout.SAMPLES:
                return make(name, SampleWorker, name, file, self.compression, _SEED, self.file)
