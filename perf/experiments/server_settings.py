"""The effect of each setting of the server: the shipped repository against itself with one change."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Final

import pandas as pd

from server.checksums import MANIFEST
from server.launch.process import Server

from ..load.perf_analyzer import measure
from ..load.served import REPOSITORY, gender_ensembles, running_gender_models
from ..load.workload import perf_analyzer_data, synthetic_users
from ..report.rounds import RoundsExperiment, Row, compare, rotated

SHIPPED: Final = "as shipped"
COUNT: Final = """instance_group [
  { kind: KIND_CPU count: 1 rate_limiter { priority: 1 } },
  { kind: KIND_CPU count: 1 rate_limiter { priority: 10000 } }
]"""
EQUAL: Final = "instance_group [ {{ kind: KIND_CPU count: {} }} ]"
THREAD: Final = 'parameters { key: "intra_op_thread_count" value { string_value: "1" } }'
PREFERRED: Final = "preferred_batch_size: [ 4 ]"
DELAY: Final = "max_queue_delay_microseconds: {}"
NO_PATTERN: Final = 'parameters { key: "enable_mem_pattern" value { string_value: "0" } }'
# glibc's initial thresholds, before it adapts them.
GLIBC: Final = dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_"), str(2**17))


@dataclass(frozen=True)
class Edit:
    """A replacement of one text by another in the configurations of some models."""

    models: tuple[str, ...]
    old: str
    new: str


@dataclass(frozen=True)
class Variant:
    """The shipped repository with edits, served with environment variables."""

    name: str
    edits: tuple[Edit, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


class ServerSettings(RoundsExperiment):
    """Measure variants of the model repository and of the environment against what ships.

    All variants run at once and are loaded in turn, so all see the same machine. The choices in
    model_repository/*/config.pbtxt and server/launch/launcher.py rest on the results.
    """

    name = "server_settings"
    title = "Server settings"
    clients = (1, 8, 32)
    arm = ("model", "clients", "variant")
    spread = ("p50_ms_ratio",)
    about = """\
Each variant relative to what ships, in the same round: the median of the rounds, and the range of p50. Lower is
better, except for answers per second."""
    columns: ClassVar = {
        "model": "{model}",
        "clients": "{clients}",
        "variant": "{variant}",
        "p50": "{p50_ms_ratio:.2f} ({p50_ms_ratio_low:.2f} to {p50_ms_ratio_high:.2f})",
        "p99": "{p99_ms_ratio:.2f}",
        "per second": "{per_s_ratio:.2f}",
        "CPU per request": "{cpu_ms_ratio:.2f}",
    }

    def measure_rounds(self, args: Any) -> Iterator[Row]:
        ensembles, servers = gender_ensembles(), dict[str, Server]()
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            data = stack.enter_context(perf_analyzer_data(synthetic_users(args.users, args.seed)))
            for variant in variants(tuple(ensembles)):
                repository = repository_of(variant, folder / str(len(servers)))
                running = running_gender_models(repository, environment=variant.environment)
                servers[variant.name] = stack.enter_context(running)
            for number, model, clients in product(range(args.rounds), ensembles, args.clients):
                for name in rotated(servers, number):
                    figures = measure(servers[name], ensembles[model], "grpc", data, args.seconds, clients)
                    yield {"round": number, "model": model, "clients": clients, "variant": name, **figures}

    def summarize(self, rows: pd.DataFrame) -> pd.DataFrame:
        shipped, figures = rows["variant"] == SHIPPED, ["p50_ms", "p99_ms", "per_s", "cpu_ms"]
        on = ["round", "model", "clients"]
        return super().summarize(compare(rows, rows[shipped], on, figures).query("variant != @SHIPPED"))


def variants(backbones: tuple[str, ...]) -> list[Variant]:
    """Return what ships, and the variants of it."""
    return [
        Variant(SHIPPED),
        Variant("glibc's own thresholds", environment=GLIBC),
        Variant("instances in turn", (Edit(("preprocess", *backbones), COUNT, EQUAL.format(2)),)),
        Variant("1 instance of each model", (Edit(("preprocess", *backbones), COUNT, EQUAL.format(1)),)),
        Variant("1 preprocess instance", (Edit(("preprocess",), COUNT, EQUAL.format(1)),)),
        Variant("3 preprocess instances", (Edit(("preprocess",), COUNT, EQUAL.format(3)),)),
        Variant("preprocess batched", (Edit(("preprocess",), COUNT, f"{COUNT}\ndynamic_batching {{ }}"),)),
        Variant(
            "1 model instance of 2 threads",
            (Edit(backbones, COUNT, EQUAL.format(1)), Edit(backbones, THREAD, THREAD.replace('"1"', '"2"'))),
        ),
        Variant("queue delay 0.5 ms", (Edit(backbones, PREFERRED, f"{PREFERRED} {DELAY.format(500)}"),)),
        Variant("batches of any size", (Edit(backbones, PREFERRED, ""),)),
        Variant("batches of 8", (Edit(backbones, PREFERRED, PREFERRED.replace("4", "8")),)),
        Variant("no memory pattern", (Edit(backbones, THREAD, f"{THREAD}\n{NO_PATTERN}"),)),
        Variant("queue delay 2 ms", (Edit(backbones, PREFERRED, f"{PREFERRED} {DELAY.format(2000)}"),)),
    ]


def repository_of(variant: Variant, folder: Path) -> Path:
    """Copy the model repository to `folder`, apply the edits of a variant and return the folder.

    Raises:
        ValueError: A configuration lacks the text to replace.
    """
    repository = Path(shutil.copytree(REPOSITORY, folder, ignore=shutil.ignore_patterns(MANIFEST)))
    for edit in variant.edits:
        for model in edit.models:
            config = repository / model / "config.pbtxt"
            text = config.read_text(encoding="utf-8")
            if edit.old not in text:
                raise ValueError(f"{variant.name}: expected {edit.old!r} in {config.relative_to(folder)}")
            config.write_text(text.replace(edit.old, edit.new), encoding="utf-8")
    return repository
