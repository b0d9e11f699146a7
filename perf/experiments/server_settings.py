"""What each setting of the server brings: the repository as it is against itself with one thing changed.

    python -m perf.experiments.server_settings

A server for each variant, all of them up at once and loaded in turn, so that all see the same machine. Writes
`results/tuning.{csv,json,md}`. The choices of `model_repository/*/config.pbtxt` and `server/launch/launcher.py` rest on it.
"""

import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Final

import pandas as pd

from server.launch.process import ROOT, Server, StartError, running_triton

from ..load.baselines import MODELS
from ..load.perf_analyzer import Load, PerfAnalyzerError, measure
from ..load.workload import User, users, write_perf_analyzer_data
from ..report.command import arguments, circumstances, write

SHIPPED: Final = "as shipped"
COUNT: Final = "instance_group [ { kind: KIND_CPU count: 2 } ]"
THREAD: Final = 'parameters { key: "intra_op_thread_count" value { string_value: "1" } }'
PREFERRED: Final = "preferred_batch_size: [ 4 ]"
DELAY: Final = "max_queue_delay_microseconds: {}"
NO_PATTERN: Final = 'parameters { key: "enable_mem_pattern" value { string_value: "0" } }'
# Where glibc's thresholds begin, before it moves them by itself.
GLIBC: Final = dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_"), str(2**17))


@dataclass(frozen=True)
class Edit:
    """One piece of text in the configurations of these models, replaced by another."""

    models: tuple[str, ...]
    old: str
    new: str


@dataclass(frozen=True)
class Variant:
    """The repository with some edits, served with some variables of the environment."""

    name: str
    edits: tuple[Edit, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


VARIANTS: Final = (
    Variant(SHIPPED),
    Variant("glibc's own thresholds", environment=GLIBC),
    Variant("1 preprocess instance", (Edit(("preprocess",), COUNT, COUNT.replace("2", "1")),)),
    Variant("3 preprocess instances", (Edit(("preprocess",), COUNT, COUNT.replace("2", "3")),)),
    Variant("preprocess batched", (Edit(("preprocess",), COUNT, f"{COUNT}\ndynamic_batching {{ }}"),)),
    Variant(
        "1 model instance of 2 threads",
        (Edit(MODELS, COUNT, COUNT.replace("2", "1")), Edit(MODELS, THREAD, THREAD.replace('"1"', '"2"'))),
    ),
    Variant("queue delay 0.5 ms", (Edit(MODELS, PREFERRED, f"{PREFERRED} {DELAY.format(500)}"),)),
    Variant("batches of any size", (Edit(MODELS, PREFERRED, ""),)),
    Variant("batches of 8", (Edit(MODELS, PREFERRED, PREFERRED.replace("4", "8")),)),
    Variant("no memory pattern", (Edit(MODELS, THREAD, f"{THREAD}\n{NO_PATTERN}"),)),
    Variant("queue delay 2 ms", (Edit(MODELS, PREFERRED, f"{PREFERRED} {DELAY.format(2000)}"),)),
)


def repository_of(variant: Variant, folder: Path) -> Path:
    """A copy of the model repository, changed as the variant says; returns it.

    Raises:
        ValueError: a configuration does not have what is to be replaced.
    """
    repository = Path(shutil.copytree(ROOT / "model_repository", folder))
    for edit in variant.edits:
        for model in edit.models:
            config = repository / model / "config.pbtxt"
            text = config.read_text(encoding="utf-8")
            if edit.old not in text:
                raise ValueError(f"{variant.name}: {config.relative_to(folder)} has no {edit.old!r}")
            config.write_text(text.replace(edit.old, edit.new), encoding="utf-8")
    return repository


def tune(
    variants: Sequence[Variant], load: Sequence[User], clients: Iterable[int], rounds: int, seconds: float
) -> pd.DataFrame:
    """Measure all variants in turn: one row for each round, model, number of clients and variant.

    Raises:
        PerfAnalyzerError: perf_analyzer is not installed, or a request failed.
        StartError: a variant cannot be served.
    """
    rows: list[dict[str, Any]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        data = write_perf_analyzer_data(load, folder / "users.json")
        servers: dict[str, Server] = {}
        for number, variant in enumerate(variants):
            repository = repository_of(variant, folder / str(number))
            served = running_triton(repository, environment=variant.environment)
            servers[variant.name] = stack.enter_context(served)
        for number, model, at_once in product(range(rounds), MODELS, clients):
            for name, server in _rotated(list(servers.items()), number):
                found = measure(server, Load(f"gender_{model}", "grpc", at_once), data, seconds)
                rows.append({"round": number, "model": model, "clients": at_once, "variant": name, **found})
    return pd.DataFrame(rows)


def _rotated(servers: list[tuple[str, Server]], by: int) -> list[tuple[str, Server]]:
    """Whoever is measured first in one round is not in the next."""
    start = by * (len(servers) // 2 + 1) % len(servers)
    return servers[start:] + servers[:start]


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """By model, clients and variant: the figures of each round over those of what ships, median and range of p50's."""
    where = ["round", "model", "clients"]
    figures = ["p50_ms", "p99_ms", "per_s", "cpu_ms"]
    shipped = rows[rows["variant"] == SHIPPED][[*where, *figures]]
    compared = rows.merge(shipped, on=where, suffixes=("", "_shipped"))
    for figure in figures:
        compared[figure] /= compared[f"{figure}_shipped"]
    by_arm = compared.groupby(["model", "clients", "variant"], sort=False)
    found = by_arm[figures].median()
    found["p50_low"], found["p50_high"] = by_arm["p50_ms"].min(), by_arm["p50_ms"].max()
    return found.reset_index()


def markdown(found: pd.DataFrame) -> str:
    """The document, from what `summarize` returned."""
    lines = [
        f"| {row.model} | {row.clients} | {row.variant} | {row.p50_ms:.2f} ({row.p50_low:.2f} to {row.p50_high:.2f}) "
        f"| {row.p99_ms:.2f} | {row.per_s:.2f} | {row.cpu_ms:.2f} |"
        for row in found.itertuples()
        if row.variant != SHIPPED
    ]
    return f"""# What each setting brings

Written by `python -m perf.experiments.server_settings`, like `tuning.json` beside it, which has machine, date and seed, and `tuning.csv`,
which has every measure. Each variant over what ships, in the same round; the median of the rounds, of p50 with its
range. Less is better, but for answers a second.

| model | clients | variant | p50 | p99 | a second | CPU a request |
|---|---|---|---|---|---|---|
{chr(10).join(lines)}
"""


def report(rows: pd.DataFrame, about: dict[str, Any], results: Path) -> None:
    """Write the measures, the ratios and the document to the folder `results`."""
    found = summarize(rows)
    write("tuning", rows, markdown(found), results, **about, variants=found.round(4).to_dict("records"))


def main() -> None:
    args = arguments(__doc__, clients=[1, 8, 32])
    about = circumstances(args)
    try:
        rows = tune(VARIANTS, users(args.users, args.seed), args.clients, args.rounds, args.seconds)
    except (PerfAnalyzerError, StartError) as exc:
        raise SystemExit(f"tune: {exc}") from exc
    report(rows, about, args.results)
    print((args.results / "tuning.md").read_text())


if __name__ == "__main__":
    main()
