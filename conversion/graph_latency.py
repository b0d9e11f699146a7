"""Measure what the served graphs cost against those of another checkout, in ONNX Runtime alone.

    git worktree add out/before COMMIT
    python -m conversion.graph_latency --before out/before/model_repository

For each backbone and batch, both files answer in turns on one thread, so that load on the machine touches both. Times
are CPU milliseconds of a batch of random users with nicknames of six tokens. Writes `results/graph_latency.json`, which
the model card shows.
"""

import argparse
from pathlib import Path
from statistics import median, quantiles
from time import thread_time
from typing import Any, Final

import numpy as np
import onnxruntime

from genderprep.tensors import IMAGE, IMAGE_SIZE, MAX_TOKENS, PRESENT, TOKENS
from server.catalog import Catalog
from training.arrays import Arrays
from training.report import write_report

from .errors import FAILURES

ROOT: Final = Path(__file__).resolve().parents[1]
BATCHES: Final = (1, 4, 8)
ROUNDS: Final = 300
WARM_UP: Final = 10
_NICKNAME: Final = 6
# Every vocabulary has more tokens.
_LARGEST_TOKEN: Final = 900


def compare(before: Catalog, after: Catalog) -> list[dict[str, Any]]:
    """Return the median times of the served files of both repositories, by backbone and batch.

    `ratio` is the median of the rounds; nine tenths of them lie between `ratio_low` and `ratio_high`.
    """
    rows = []
    for backbone in after.backbones():
        files = [catalog.served_onnx(backbone) for catalog in (before, after)]
        sessions = [_session(file) for file in files]
        for batch in BATCHES:
            old, new = _alternating_ms(sessions, random_users(batch))
            versions = {"before_version": files[0].parent.name, "after_version": files[1].parent.name}
            times = {"before_ms": round(median(old), 3), "after_ms": round(median(new), 3)}
            ratios = _summary([after / before for before, after in zip(old, new, strict=True)])
            rows.append({"backbone": backbone, "batch": batch, **versions, **times, **ratios})
    return rows


def random_users(count: int) -> Arrays:
    """Return inputs of random users who have both modalities."""
    rng = np.random.default_rng(0)
    tokens = np.zeros((count, MAX_TOKENS), np.int32)
    tokens[:, :_NICKNAME] = rng.integers(1, _LARGEST_TOKEN, (count, _NICKNAME))
    images = rng.integers(0, 256, (count, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    return {IMAGE: images, TOKENS: tokens, PRESENT: np.ones((count, 2), np.bool_)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="model repository to compare with")
    parser.add_argument("--repository", type=Path, default=ROOT / "model_repository")
    args = parser.parse_args()
    try:
        rows = compare(Catalog(args.before), Catalog(args.repository))
        report = {"onnxruntime": onnxruntime.__version__, "rounds": ROUNDS, "rows": rows}
        write_report(ROOT / "results" / "graph_latency.json", **report)
    except FAILURES as exc:
        raise SystemExit(f"graph_latency: {exc}") from exc


def _session(file: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def _alternating_ms(sessions: list[onnxruntime.InferenceSession], users: Arrays) -> list[list[float]]:
    """Return the times of each session by round. With one thread, it computes in the calling thread."""
    seconds: list[list[float]] = [[] for _ in sessions]
    for _ in range(WARM_UP + ROUNDS):
        for times, session in zip(seconds, sessions, strict=True):
            start = thread_time()
            session.run(None, users)
            times.append(thread_time() - start)
    return [[1000 * time for time in times[WARM_UP:]] for times in seconds]


def _summary(ratios: list[float]) -> dict[str, float]:
    low, *_, high = quantiles(ratios, n=20, method="inclusive")
    return {"ratio": round(median(ratios), 3), "ratio_low": round(low, 3), "ratio_high": round(high, 3)}


if __name__ == "__main__":
    main()
