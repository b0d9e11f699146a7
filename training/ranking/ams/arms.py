"""Runs every layout on two Ray nodes and prints what crossed between them, as JSON.

`training.ranking.ams.measure` starts it inside the first node's network namespace.
"""

import json
import logging
import sys
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import ray

from ...arrays import IntsN
from . import cost
from .compression import Compression
from .job import Job, Layout
from .meter import Meter
from .network import cable_bytes
from .ray_peer import RayPeer
from .samples import draw_samples, read_samples, write_samples, write_vectors
from .trainer import NAME, Trainer

NODES: Final = 2
PICTURES: Final = 12_000
HISTORY: Final = 30
STEPS: Final = 3


class Arm(NamedTuple):
    """A way to distribute vectors.

    Args:
        name: What the table calls it.
        layout: Where vectors are kept and compressed.
        sizes: Dimensions of the raw vectors, then units of the compressor.
        dtype: Type of the raw vectors.
        rows: Impressions of a worker in a step.
        deduplicate: Ask for each picture of a batch once.
    """

    name: str
    layout: Layout
    sizes: tuple[int, ...]
    dtype: str
    rows: int
    deduplicate: bool


ARTICLE: Final = (4096, 256, 64, 12)
ARMS: Final = (
    Arm("raw vectors in the samples", Layout.SAMPLES, ARTICLE, "float32", 200, False),
    *(Arm("raw vectors sent", Layout.RAW, ARTICLE, "float32", 200, once) for once in (False, True)),
    *(Arm("AMS", Layout.AMS, ARTICLE, "float32", 200, once) for once in (False, True)),
    *(Arm("128-d fp16 vectors sent", Layout.RAW, (128, 64, 12), "float16", 8000, once) for once in (False, True)),
    *(Arm("our 32-d vectors sent", Layout.RAW, (32, 12), "float32", 8000, once) for once in (False, True)),
    *(Arm("our 32-d vectors, AMS", Layout.AMS, (32, 12), "float32", 8000, once) for once in (False, True)),
)


def main(address: str, folder: Path, seed: int) -> None:
    """Measure all arms."""
    ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    print(json.dumps([measure(arm, folder, seed) for arm in ARMS]))
    ray.shutdown()


def measure(arm: Arm, folder: Path, seed: int) -> dict[str, Any]:
    """Return bytes a step, by formula and as counted, and the time of a step."""
    vectors = folder / "vectors.npy"
    write_vectors(vectors, PICTURES, arm.sizes[0], arm.dtype, seed)
    samples = [folder / f"samples_{worker}.npz" for worker in range(NODES)]
    for worker, file in enumerate(samples):
        write_samples(file, draw_samples((STEPS + 1) * arm.rows, PICTURES, HISTORY, seed + worker))
    peers: list[RayPeer] = []

    def make(name: str, kind: type, *arguments: Any) -> RayPeer:
        peers.append(RayPeer(name, kind, *arguments, resources={f"node_{node_of(name)}": 1}))
        return peers[-1]

    job = Job(arm.layout, vectors, samples, Compression(arm.sizes), NODES, arm.deduplicate)
    counted = run(job.start(make), arm.rows)
    for peer in peers:
        ray.kill(peer.actor)
    return {
        "arm": arm.name,
        "once": arm.deduplicate,
        "rows": arm.rows,
        **formulas(arm, samples),
        **counted,
        "stored_by_workers": stored_by_workers(arm),
        "stored_by_servers": 0 if arm.layout == Layout.SAMPLES else vectors.stat().st_size,
    }


def node_of(name: str) -> int:
    """Return the node of a part: servers and workers take turns, the trainer is at the first."""
    return 0 if name == NAME else int(name.split()[-1]) % NODES


def rows_of(step: int, rows: int) -> IntsN:
    """Return the rows of a worker's samples in a step."""
    return np.arange(step * rows, (step + 1) * rows)


def run(trainer: Trainer, rows: int) -> dict[str, float]:
    """Train; the first step warms up and does not count."""
    trainer.step([rows_of(0, rows)] * NODES)
    meter, cable, start_s = trainer.metered(), cable_bytes(), time.perf_counter()
    for step in range(1, STEPS + 1):
        trainer.step([rows_of(step, rows)] * NODES)
    seconds, cable = time.perf_counter() - start_s, cable_bytes() - cable
    counted = trainer.metered() - meter
    return {
        "meter": sum(counted.bytes.values()) / STEPS,
        "calls": sum(counted.calls.values()) / STEPS,
        "crossing_meter": crossing(counted) / STEPS,
        "crossing_cable": cable / STEPS,
        "seconds": seconds / STEPS,
    }


def crossing(meter: Meter) -> int:
    """Return the bytes between parts of different nodes."""
    return sum(count for link, count in meter.bytes.items() if node_of(link.source) != node_of(link.target))


def formulas(arm: Arm, samples: list[Path]) -> dict[str, float]:
    """Return the bytes a step by formula: of all calls, and of those that cross from node to node."""
    asked = [[asked_pictures(arm, file, step) for step in range(1, STEPS + 1)] for file in samples]
    total = sum(len(ids) for worker in asked for ids in worker) / STEPS
    remote = sum(int((ids % NODES != node).sum()) for node, worker in enumerate(asked) for ids in worker) / STEPS
    reduced = cost.all_reduce(NODES, Compression(arm.sizes).parameters)
    return {
        "pictures": total,
        "formula": picture_bytes(arm, total) + reduced + cost.towers(NODES, NODES * arm.rows, arm.sizes[-1]),
        "crossing_formula": picture_bytes(arm, remote) + reduced + cost.towers(1, arm.rows, arm.sizes[-1]),
    }


def asked_pictures(arm: Arm, samples: Path, step: int) -> IntsN:
    """Return the ids that a worker needs in a step."""
    ids = read_samples(samples).take(rows_of(step, arm.rows)).pictures()
    return np.unique(ids) if arm.deduplicate else ids


def picture_bytes(arm: Arm, pictures: float) -> float:
    """Return the traffic of so many pictures."""
    match arm.layout:
        case Layout.SAMPLES:
            return 0
        case Layout.RAW:
            item_bytes = np.dtype(arm.dtype).itemsize
            return cost.picture_ids(pictures) + cost.raw_vectors(pictures, arm.sizes[0], item_bytes)
        case Layout.AMS:
            return cost.picture_ids(pictures) + cost.compressed_vectors(pictures, arm.sizes[-1])


def stored_by_workers(arm: Arm) -> float:
    """Return the bytes of the samples of a step's impressions, of all workers."""
    places = NODES * arm.rows * (HISTORY + 1)
    return places * (cost.raw_vectors(1, arm.sizes[0]) if arm.layout == Layout.SAMPLES else cost.ID_BYTES)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
