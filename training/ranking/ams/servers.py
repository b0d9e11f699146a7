"""Servers of picture vectors. Picture i is at server i mod S, as row i // S."""

from pathlib import Path

import numpy as np

from ...arrays import FloatsND, FloatsNK, IntsN
from .compression import Compression
from .meter import Meter
from .replica import Replica, Ticket


class Shard:
    """The raw vectors of one server, in memory.

    Args:
        file: A `.npy` file of all vectors `[N, D]`.
        index: Which server this is.
        servers: Number of servers, S.
    """

    def __init__(self, file: Path, index: int, servers: int) -> None:
        self._vectors = np.ascontiguousarray(np.load(file, mmap_mode="r")[index::servers])
        self._index, self._servers = index, servers

    def vectors(self, ids: IntsN) -> FloatsND:
        """Return the raw vectors of pictures `[N, D]`.

        Raises:
            ValueError: A picture is unknown or at another server.
        """
        rows, rest = np.divmod(ids, self._servers)
        if unknown := int(((rest != self._index) | (rows < 0) | (rows >= len(self._vectors))).sum()):
            raise ValueError(f"expected ids of this server's {len(self._vectors)} pictures, got {unknown} others")
        vectors: FloatsND = self._vectors[rows]
        return vectors

    def metered(self) -> Meter:
        """Return an empty meter: the workers count what this server receives and sends."""
        return Meter()


class ModelServer(Replica):
    """An Advanced Model Server: it keeps raw vectors, and sends compressed ones."""

    def __init__(self, name: str, compression: Compression, seed: int, file: Path, index: int, servers: int) -> None:
        super().__init__(name, compression, seed)
        self._shard = Shard(file, index, servers)

    def embed(self, ticket: Ticket, worker: str, ids: IntsN) -> FloatsNK:
        """Return the compressed vectors of pictures `[N, K]`."""
        return self.forward(ticket, worker, self._shard.vectors(ids))

    def update(self, ticket: Ticket, worker: str, gradients: FloatsNK) -> None:
        """Back-propagate the gradients of the vectors that `embed` last returned to this worker."""
        self.backward(ticket, worker, gradients)
