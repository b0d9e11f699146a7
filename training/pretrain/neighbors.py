"""What the nearest neighbors of a picture say about an embedding: label consistency and recall.

Article 001 reports the share of neighbors with the same style or scene, and Recall@N of the same product. It states
neither K nor the chance level; here both are part of the result.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from ..arrays import FloatsN, FloatsND, IntsN, IntsNK
from ..evaluation.intervals import Estimate, estimate

Labels = NDArray[Any]


@dataclass(frozen=True)
class Consistency:
    """Mean share of the neighbors with a picture's label, its 95 % interval, and the share expected by chance."""

    value: float
    low: float
    high: float
    chance: float


def neighbors(x: FloatsND, k: int, excluded: Labels | None = None) -> IntsNK:
    """Return the K nearest rows of each row of `x` `[N, D]` by Euclidean distance, nearest first, `[N, K]`.

    Args:
        x: Embeddings.
        k: K, the number of neighbors.
        excluded: A group for each row; rows of a picture's own group, such as its near-duplicates, are not its
            neighbors. By default only the row itself is excluded.

    Raises:
        ValueError: A row has fewer than K possible neighbors, or the groups are not one per row.
    """
    groups = np.arange(len(x)) if excluded is None else np.asarray(excluded)
    if len(groups) != len(x):
        raise ValueError(f"expected one group for each of {len(x)} rows, got {len(groups)}")
    _, sizes = np.unique(groups, return_counts=True)
    largest = int(sizes.max(initial=0))
    if not 1 <= k <= len(x) - largest:
        raise ValueError(f"expected k between 1 and {len(x) - largest}, the rows outside the largest group, got {k}")
    ranked = NearestNeighbors(n_neighbors=k + largest).fit(x).kneighbors(x, return_distance=False)
    return np.stack([row[groups[row] != group][:k] for row, group in zip(ranked, groups, strict=True)])


def label_consistency(x: FloatsND, labels: Labels, k: int, excluded: Labels | None = None) -> Consistency:
    """Return how often the K nearest neighbors of a picture have its label.

    The chance level is Σ p_c², the probability that two random pictures have the same label. The interval resamples
    groups of pictures.

    Raises:
        ValueError: As `neighbors`, or the labels are not one per row.
    """
    same = same_label(neighbors(x, k, excluded), labels)
    groups = np.arange(len(x)) if excluded is None else np.asarray(excluded)
    return Consistency(*_mean(same, groups), label_chance(labels))


def same_label(nearest: IntsNK, labels: Labels) -> FloatsN:
    """Return the share of each row's neighbors with its label, `[N]`.

    Raises:
        ValueError: The labels are not one per row.
    """
    labels = np.asarray(labels)
    if len(labels) != len(nearest):
        raise ValueError(f"expected one label for each of {len(nearest)} rows, got {len(labels)}")
    shares: FloatsN = (labels[nearest] == labels[:, None]).mean(axis=1)
    return shares


def label_chance(labels: Labels) -> float:
    """Return Σ p_c², the probability that two random pictures have the same label."""
    _, counts = np.unique(labels, return_counts=True)
    return float(((counts / len(labels)) ** 2).sum())


def recall_at(x: FloatsND, groups: Labels, ns: Sequence[int]) -> dict[int, Consistency]:
    """Return Recall@N for each N: the share of pictures with one of their group among their N nearest neighbors.

    Pictures without another of their group are no queries. The chance level is that of N random neighbors.

    Raises:
        ValueError: No picture has another of its group, or an N is not in 1..rows − 1.
    """
    groups = np.asarray(groups)
    queries = _others(groups) > 0
    if not queries.any():
        raise ValueError("expected at least two pictures of one group, got none")
    nearest = neighbors(x, max(ns))
    return {
        n: Consistency(*_mean(found(nearest, groups, n)[queries], groups[queries]), recall_chance(groups, n))
        for n in ns
    }


def found(nearest: IntsNK, groups: Labels, n: int) -> FloatsN:
    """Return 1 for each row with one of its group among its N nearest neighbors, else 0, `[N]`."""
    matches: FloatsN = (groups[nearest[:, :n]] == groups[:, None]).any(axis=1).astype(float)
    return matches


def recall_chance(groups: Labels, n: int) -> float:
    """Return the mean probability that N random other rows have one of a picture's group, over pictures with any."""
    others, rows = _others(groups), len(groups)
    others = others[others > 0]
    missed = np.prod([1 - others / (rows - 1 - drawn) for drawn in range(n)], axis=0)
    return float(np.mean(1 - np.clip(missed, 0, 1)))


def _others(groups: Labels) -> IntsN:
    """Count the other rows of each row's group."""
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    others: IntsN = counts[inverse] - 1
    return others


def _mean(values: FloatsN, groups: Labels) -> Estimate:
    return estimate(lambda rows: float(values[rows].mean()), groups)
