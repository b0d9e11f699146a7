"""Bytes that a training step sends, by formula (Ge et al., 2018, "Image Matters", https://arxiv.org/abs/1711.06505).

The article's table counts the traffic of a whole cluster in one mini-batch and leaves out the all-reduce.
"""

from typing import Final

FLOAT_BYTES: Final = 4
ID_BYTES: Final = 8


def id_embeddings(ids: int, dims: int = 12) -> int:
    """Embeddings of sparse ids, as every parameter server sends them: values there, gradients back."""
    return ids * dims * FLOAT_BYTES * 2


def raw_vectors(pictures: float, dims: int, item_bytes: int = FLOAT_BYTES) -> float:
    """Raw vectors of pictures, which have no gradients."""
    return pictures * dims * item_bytes


def compressed_vectors(pictures: float, dims: int = 12) -> float:
    """Vectors that the servers compress: values there, gradients back."""
    return pictures * dims * FLOAT_BYTES * 2


def picture_ids(pictures: float) -> float:
    """Which pictures are asked for."""
    return pictures * ID_BYTES


def all_reduce(replicas: int, parameters: int) -> int:
    """Gradients of the compressor: each replica sends and receives (R - 1) / R of them twice."""
    return 2 * (replicas - 1) * parameters * FLOAT_BYTES


def towers(workers: int, rows: int, dims: int = 12) -> int:
    """Row numbers and parameters of the towers to each worker, gradients and no more back."""
    return rows * ID_BYTES + 2 * workers * (2 * dims + 1) * FLOAT_BYTES
