r"""Measure how fast rows are prepared and trained on, and how much memory many rows need.

    python -m training.gender.throughput --run training/gender/configs/nickname.py runs/data/nicknames.csv \
        --run training/gender/configs/mobilenet.py runs/data/manifest.csv

Writes `results/data_scale.json`. For the memory, nickname rows are written to temporary shards. A separate process per
number of rows then reads them once through the input pipeline, without a model.
"""

import argparse
import tempfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import islice
from multiprocessing import get_context
from os import getloadavg
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from genderprep.tensors import TOKENS

from ..data.manifest import Manifest, ManifestError, read_manifest
from ..data.stream import BatchStream
from ..report import write_report
from ..synthetic.nicknames import builtin_names
from ..synthetic.users import write_nicknames
from .build import build
from .config import Config, ConfigError, load_config
from .model import NICKNAME_ONLY

ROOT: Final = Path(__file__).parents[2]
SHARD: Final = 50_000
# Batches before each measurement, while Keras compiles and the first block of rows is read.
WARM_UP: Final = 3


def rates(config: Config, file: Path, batches: int) -> dict[str, float]:
    """Measure the rows per second of the pipeline alone, of the model alone on one batch, and of training.

    If the manifest has enough rows, every row is prepared for the first time, so no cache helps the pipeline.

    Raises:
        ManifestError: The manifest cannot be used.
    """
    manifest = Manifest(file, config.max_bad_rows, config.label_map)
    model, stream = build(config, manifest)
    pipeline = _rate(stream.batches(0, WARM_UP + batches), stream.batch)
    batch = next(stream.batches(0, 1))
    alone = _rate((model.train_on_batch(*batch) for _ in range(WARM_UP + batches)), stream.batch)
    _, fresh = build(config, manifest)
    trained = _rate((model.train_on_batch(*each) for each in fresh.batches(0, WARM_UP + batches)), stream.batch)
    return {"pipeline_rows_per_s": pipeline, "model_rows_per_s": alone, "training_rows_per_s": trained}


def memory(manifest: Path, batch: int, seed: int) -> dict[str, float]:
    """Read the nicknames of a manifest once, without a model, and measure the speed and this process's peak memory."""
    before, start = _peak_mb(), perf_counter()
    stream = BatchStream(Manifest(manifest), (TOKENS,), {NICKNAME_ONLY: 1}, batch, seed, size=0)
    rows = sum(len(inputs[TOKENS]) for inputs, _, _ in stream.batches(0, stream.steps))
    seconds = perf_counter() - start
    speed = {"seconds": round(seconds, 1), "rows_per_s": round(rows / seconds)}
    return {**speed, "mb_before": before, "mb_peak": _peak_mb()}


def write_shards(rows: int, folder: Path, seed: int) -> Path:
    """Write nickname rows of the train split to Parquet shards, and return their folder."""
    folder.mkdir()
    with tempfile.TemporaryDirectory() as scratch:
        for index, first in enumerate(range(0, rows, SHARD)):
            file = write_nicknames(min(SHARD, rows - first), builtin_names(), Path(scratch), seed=seed * 1000 + index)
            table = read_manifest(file)[["nickname", "avatar", "gender"]].assign(split="train")
            table.to_parquet(folder / f"part-{index:03}.parquet", row_group_size=10_000)
    return folder


def measured_memory(rows: Iterable[int], batch: int, seed: int) -> dict[str, dict[str, float]]:
    """Measure `memory` for each number of rows, in separate processes because a peak never falls."""
    measured = {}
    for number in rows:
        with (
            tempfile.TemporaryDirectory() as folder,
            ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process,
        ):
            shards = write_shards(number, Path(folder) / "shards", seed)
            measured[str(number)] = process.submit(memory, shards, batch, seed).result()
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", nargs=2, type=Path, action="append", default=[], metavar=("CONFIG", "MANIFEST"))
    parser.add_argument("--batches", type=int, default=30, help="batches per measurement")
    parser.add_argument("--rows", nargs="+", type=int, default=[10_000, 100_000, 1_000_000], help="for the memory")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    args = parser.parse_args()
    load = getloadavg()[0]
    try:
        runs = {
            file.stem: {
                "manifest": manifest.name,
                **rates(replace(load_config(file), seed=args.seed), manifest, args.batches),
            }
            for file, manifest in args.run
        }
    except (ManifestError, ConfigError, FileNotFoundError) as exc:
        raise SystemExit(f"throughput: {exc}") from exc
    write_report(
        args.results / "data_scale.json",
        seed=args.seed,
        load_average_before=round(load, 1),
        rates=runs,
        nickname_rows_without_model=measured_memory(args.rows, batch=256, seed=args.seed),
    )


def _rate(batches: Iterable[Any], rows: int) -> float:
    """Return the rows per second after a warm-up."""
    items = iter(batches)
    for _ in islice(items, WARM_UP):
        pass
    start = perf_counter()
    return round(rows * sum(1 for _ in items) / (perf_counter() - start), 1)


def _peak_mb() -> float:
    """Return the peak memory of this process. `ru_maxrss` would include the parent's."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return round(int(line.split()[1]) / 1024, 1)


if __name__ == "__main__":
    main()
