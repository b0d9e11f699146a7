"""Workers: each computes the loss of its own samples and sends gradients back to where the vectors came from."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...arrays import FloatsD, FloatsND, FloatsNK, IntsN
from . import towers
from .compression import Compression
from .meter import Meter
from .peer import Peer, results
from .replica import Replica, Ticket
from .samples import read_samples


class Worker(ABC):
    """Holds samples and computes a step over some of them. It keeps nothing between steps.

    Args:
        name: Its name in the byte meter.
        samples: The file of its impressions.
        deduplicate: Ask for each picture of a batch once.
    """

    def __init__(self, name: str, samples: Path, deduplicate: bool) -> None:
        self.name = name
        self.meter = Meter()
        self._samples = read_samples(samples)
        self._deduplicate = deduplicate

    def compute(self, ticket: Ticket, rows: IntsN, theta: FloatsD, batch: int) -> tuple[float, FloatsD]:
        """Send back the gradients of the picture vectors of some rows.

        Args:
            ticket: The attempt at a step.
            rows: Which of this worker's samples [B].
            theta: Parameters of the towers.
            batch: Rows of all workers.

        Returns:
            These rows' share of the loss, and its gradient with respect to `theta`.
        """
        taken = self._samples.take(rows)
        references = taken.pictures()
        ids, places = np.unique(references, return_inverse=True) if self._deduplicate else (references, None)
        vectors = self._embed(ticket, rows, ids)
        if places is not None:
            vectors = vectors[places]
        mask = taken.mask
        history = np.zeros((*mask.shape, vectors.shape[1]), np.float32)
        history[mask], candidates = np.split(vectors, [mask.sum()])
        loss, of_theta, of_history, of_candidates = towers.loss_and_gradients(
            theta, history, mask, candidates, taken.liked, batch
        )
        gradients = np.concatenate([of_history[mask], of_candidates])
        if places is not None:
            summed = np.zeros((len(ids), vectors.shape[1]), np.float32)
            np.add.at(summed, places, gradients)
            gradients = summed
        self._update(ticket, gradients)
        return loss, of_theta

    def metered(self) -> Meter:
        """Return what was counted so far."""
        return self.meter

    @abstractmethod
    def _embed(self, ticket: Ticket, rows: IntsN, ids: IntsN) -> FloatsNK:
        """Return the compressed vectors of pictures `[N, K]`."""

    @abstractmethod
    def _update(self, ticket: Ticket, gradients: FloatsNK) -> None:
        """Back-propagate the gradients of the vectors that `_embed` returned."""


class AmsWorker(Worker):
    """The servers compress: compressed vectors come, their gradients go back."""

    def __init__(self, name: str, samples: Path, deduplicate: bool, servers: Sequence[Peer]) -> None:
        super().__init__(name, samples, deduplicate)
        self._servers = servers

    def _embed(self, ticket: Ticket, rows: IntsN, ids: IntsN) -> FloatsNK:
        self._owners = ids % len(self._servers)
        return gather(self, "embed", self._servers, ids, ticket, self.name)

    def _update(self, ticket: Ticket, gradients: FloatsNK) -> None:
        asked = [(index, server) for index, server in enumerate(self._servers) if (self._owners == index).any()]
        references = [
            server.call(self.meter, self.name, "update", ticket, self.name, gradients[self._owners == index])
            for index, server in asked
        ]
        results(self.meter, self.name, "update", [server for _, server in asked], references)


class CompressingWorker(Replica, Worker):
    """The worker compresses raw vectors with a replica of its own."""

    def __init__(self, name: str, samples: Path, deduplicate: bool, compression: Compression, seed: int) -> None:
        Worker.__init__(self, name, samples, deduplicate)
        Replica.__init__(self, name, compression, seed)

    def _embed(self, ticket: Ticket, rows: IntsN, ids: IntsN) -> FloatsNK:
        return self.forward(ticket, self.name, self._raw(rows, ids).astype(np.float32))

    def _update(self, ticket: Ticket, gradients: FloatsNK) -> None:
        self.backward(ticket, self.name, gradients)

    @abstractmethod
    def _raw(self, rows: IntsN, ids: IntsN) -> FloatsND:
        """Return the raw vectors of pictures `[N, D]`."""


class RawWorker(CompressingWorker):
    """The servers send raw vectors."""

    def __init__(
        self,
        name: str,
        samples: Path,
        deduplicate: bool,
        compression: Compression,
        seed: int,
        servers: Sequence[Peer],
    ) -> None:
        super().__init__(name, samples, deduplicate, compression, seed)
        self._servers = servers

    def _raw(self, rows: IntsN, ids: IntsN) -> FloatsND:
        return gather(self, "vectors", self._servers, ids)


class SampleWorker(CompressingWorker):
    """The samples hold raw vectors, once for each time that a picture occurs; nothing is fetched.

    Args:
        name: Its name in the byte meter.
        samples: The file of its impressions.
        compression: The compressor.
        seed: Of the first parameters.
        file: A `.npy` file of all vectors, from which the samples are made.
    """

    def __init__(self, name: str, samples: Path, compression: Compression, seed: int, file: Path) -> None:
        super().__init__(name, samples, False, compression, seed)
        vectors = np.load(file, mmap_mode="r")
        self._history = vectors[self._samples.history] * self._samples.mask[:, :, None]
        self._candidates = vectors[self._samples.candidates]

    def _raw(self, rows: IntsN, ids: IntsN) -> FloatsND:
        return np.concatenate([self._history[rows][self._samples.mask[rows]], self._candidates[rows]])


def gather(worker: Worker, method: str, servers: Sequence[Peer], ids: IntsN, *context: object) -> FloatsND:
    """Ask each server for the vectors of its pictures, and return all of them in the order of `ids`."""
    owners = ids % len(servers)
    asked = [(index, server) for index, server in enumerate(servers) if (owners == index).any()]
    references = [
        server.call(worker.meter, worker.name, method, *context, ids[owners == index]) for index, server in asked
    ]
    answers = results(worker.meter, worker.name, method, [server for _, server in asked], references)
    vectors = np.empty((len(ids), answers[0].shape[1]), answers[0].dtype)
    for (index, _), answer in zip(asked, answers, strict=True):
        vectors[owners == index] = answer
    return vectors
