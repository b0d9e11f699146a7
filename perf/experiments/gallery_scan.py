"""Exact search in the gallery, and the indexes of faiss beside it."""

import math
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from typing import Any, Final

import faiss
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from picturegallery.faiss_search import FaissSearch
from picturegallery.search import MAX_EXACT, ExactSearch
from picturegallery.vectors import Rows, Scores, Search, Vector

from ..report.experiment import Experiment, Goal, Measurement, records
from ..report.markdown import table
from ..report.runner import positive

Vectors = NDArray[np.float32]  # [N, D]

DIMS: Final = 64
K: Final = 10
GOAL_SIZE: Final = 100_000
MAX_MS: Final = 2.0
EXACT: Final = "NumPy, exact"
_NEIGHBORS: Final = 32
_CLUSTERS: Final = 200
_WARM_UP: Final = 20


class FaissIndex:
    """An index of faiss as a `Search`."""

    def __init__(self, index: Any, vectors: Vectors) -> None:
        self._index = index
        index.add(vectors)

    def nearest(self, query: Vector, k: int, excluded: int | None = None) -> tuple[Rows, Scores]:
        scores, rows = self._index.search(query[None], k)
        return rows[0], scores[0]


ARMS: Final[dict[str, Callable[[Vectors], Search]]] = {
    EXACT: ExactSearch,
    "faiss flat, exact": lambda vectors: FaissIndex(faiss.IndexFlatIP(DIMS), vectors),
    "faiss IVF, 32 cells": FaissSearch,
    "faiss HNSW, 32 neighbors": lambda vectors: FaissIndex(
        faiss.IndexHNSWFlat(DIMS, _NEIGHBORS, faiss.METRIC_INNER_PRODUCT), vectors
    ),
}


class GalleryScan(Experiment):
    """Measure searches of one query on one thread, and what approximate indexes miss."""

    name = "gallery_scan"
    title = "Search in the gallery"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--sizes", nargs="+", type=positive, default=[10_000, GOAL_SIZE, MAX_EXACT], help="pictures"
        )
        parser.add_argument("--queries", type=positive, default=300, help="measured searches of each arm")

    def measure(self, args: Any) -> Measurement:
        faiss.omp_set_num_threads(1)
        rows: list[dict[str, Any]] = []
        with threadpool_limits(1):
            for size in args.sizes:
                rows += _measure_size(*clustered_vectors(size, args.queries, args.seed))
        return Measurement(pd.DataFrame(), {"seed": args.seed, "dims": DIMS, "searches": records(pd.DataFrame(rows))})

    def goals(self, measurement: Measurement) -> Iterator[Goal]:
        for row in measurement.metadata["searches"]:
            if (row["pictures"], row["arm"]) == (GOAL_SIZE, EXACT):
                text = f"an exact search in {GOAL_SIZE:,} × {DIMS} takes {MAX_MS:g} ms of one thread"
                yield Goal(text, f"{row['cpu_p50_ms']:.2f} ms", row["cpu_p50_ms"] <= MAX_MS)

    def table(self, measurement: Measurement) -> str:
        columns = {
            "pictures": "{pictures:,}",
            "search": "{arm}",
            f"recall@{K}": "{recall:.3f}",
            "CPU p50 ms": "{cpu_p50_ms:.2f}",
            "CPU smallest ms": "{cpu_min_ms:.2f}",
            "p50 ms": "{p50_ms:.2f}",
            "p99 ms": "{p99_ms:.1f}",
            "build CPU s": "{build_s:.1f}",
        }
        return f"""\
The {K} nearest of vectors of {DIMS} dimensions in {_CLUSTERS} clusters, one query at a time on one thread. Recall is
the share of the exact neighbors that a search returns. CPU is the time of the searching thread: other processes on the
machine slow it down only through shared caches and memory.

{table(measurement.metadata["searches"], columns)}"""


def clustered_vectors(size: int, queries: int, seed: int) -> tuple[Vectors, Vectors]:
    """Draw unit vectors `[size, DIMS]` around random centers, and queries around the same centers."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(_CLUSTERS, DIMS)) / math.sqrt(DIMS)
    points = centers[rng.integers(_CLUSTERS, size=size + queries)] + rng.normal(
        size=(size + queries, DIMS)
    ) / math.sqrt(2 * DIMS)
    unit = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    return unit[:size], unit[size:]


def _measure_size(vectors: Vectors, queries: Vectors) -> Iterator[dict[str, Any]]:
    exact: list[set[int]] = []
    for arm, build in ARMS.items():
        started_s = time.process_time()
        search = build(vectors)
        build_s = time.process_time() - started_s
        answers, cpu_ms, wall_ms = _search_all(search, queries)
        exact = exact or answers
        recall = np.mean([len(answer & truth) / K for answer, truth in zip(answers, exact, strict=True)])
        yield {
            "pictures": len(vectors),
            "arm": arm,
            "recall": recall,
            "cpu_p50_ms": np.median(cpu_ms),
            "cpu_min_ms": np.min(cpu_ms),
            "p50_ms": np.median(wall_ms),
            "p99_ms": np.percentile(wall_ms, 99),
            "build_s": build_s,
        }


def _search_all(search: Search, queries: Vectors) -> tuple[list[set[int]], list[float], list[float]]:
    """Return the rows found for each query, and the milliseconds of the thread and of the clock."""
    for query in queries[:_WARM_UP]:
        search.nearest(query, K)
    answers, cpu_ms, wall_ms = [], [], []
    for query in queries:
        wall_s, cpu_s = time.perf_counter(), time.thread_time()
        rows, _ = search.nearest(query, K)
        cpu_ms.append(1000 * (time.thread_time() - cpu_s))
        wall_ms.append(1000 * (time.perf_counter() - wall_s))
        answers.append(set(rows.tolist()))
    return answers, cpu_ms, wall_ms
