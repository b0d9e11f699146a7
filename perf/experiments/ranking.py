"""Ranking for a stored embedding: latency, and users a second, as the gallery and the number of clients grow."""

import json
import os
import shutil
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
from geventhttpclient import HTTPClient

from picturegallery.files import Gallery, write_gallery
from server.launch.process import ROOT, free_ports

from ..load.baselines import measure as measure_answers
from ..load.http_client_load import Request, closed_loop, post_json
from ..load.process_stats import cpu_seconds
from ..load.ranked_users import (
    MODEL,
    RankedUser,
    json_request,
    ranked_users,
    triton_pictures,
    triton_request,
)
from ..load.served import REPOSITORY
from ..load.workload import SyntheticUser
from ..peers.catalogue import ENVIRONMENTS, FASTAPI, TRITON, Peer
from ..peers.serving import PeerError, PeerProcess, running
from ..report.experiment import Goal, Measurement
from ..report.rounds import RoundsExperiment, Row, rotated
from ..report.runner import positive

SIZES: Final = (1_000, 10_000, 100_000)
GOAL_SIZE: Final = 10_000
GOAL_MS: Final = {"200 candidates": 3.0, "whole gallery": 10.0}
MANY_CLIENTS: Final = (8, 32)
FLOOR: Final = "health endpoint"
NOTHING: Final = "nothing"


class Kind(NamedTuple):
    """What users ask for: so many candidates (0: the whole gallery), with or without exploration."""

    name: str
    candidates: int
    explore: bool


KINDS: Final = (
    Kind("200 candidates", 200, False),
    Kind("whole gallery", 0, False),
    Kind("whole gallery, with a seed", 0, True),
)


class Ranking(RoundsExperiment):
    """Measure `rank_embedding` on galleries of random pictures, beside the same code in one FastAPI process.

    `make peers` installs FastAPI first.
    """

    name = "ranking_latency"
    title = "Ranking"
    clients = (1, *MANY_CLIENTS)
    arm = ("pictures", "asked", "server", "clients")
    spread = ("p50_ms",)
    about = f"""\
Users have a stored embedding and 50 liked pictures. Triton gets binary tensors over HTTP, {FASTAPI} JSON, from the same
load generator; both run the same reader of the gallery and the same ONNX file, and their lists are compared first.
{FASTAPI} is one process, Triton has two instances of the ranker and one of the gallery. `{FLOOR}` is Triton's
`/v2/health/live` on one connection. Values are medians of the rounds; p50 has its range."""
    columns: ClassVar = {
        "pictures": "{pictures:,}",
        "asked": "{asked}",
        "server": "{server}",
        "clients": "{clients}",
        "p50 ms": "{p50_ms:.2f} ({p50_ms_low:.2f} to {p50_ms_high:.2f})",
        "p99 ms": "{p99_ms:.1f}",
        "users per second": "{per_s:.0f}",
        "CPU ms per user": "{cpu_ms:.2f}",
    }

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--sizes", nargs="+", type=positive, default=SIZES, help="pictures of a gallery")

    def measure(self, args: Any) -> Measurement:
        rows = super().measure(args).rows
        return Measurement(rows, {"seed": args.seed, "load_average": [round(each, 1) for each in os.getloadavg()]})

    def measure_rounds(self, args: Any) -> Iterator[Row]:
        with tempfile.TemporaryDirectory() as folder:
            repositories = {size: write_repository(Path(folder) / str(size), size, args.seed) for size in args.sizes}
            for number in range(args.rounds):
                for size, repository in repositories.items():
                    users = {kind: ranked_users(args.users, size, *kind[1:], args.seed) for kind in KINDS}
                    for row in _measure_size(repository, users, number, args):
                        yield {"round": number, "pictures": size, **row}

    def goals(self, measurement: Measurement) -> Iterator[Goal]:
        arms = self.summarize(measurement.rows)
        single = arms[(arms["clients"] == 1) & (arms["pictures"] == GOAL_SIZE)].to_dict("records")
        p50_ms = {(arm["asked"], arm["server"]): float(arm["p50_ms"]) for arm in single}
        for asked, limit_ms in GOAL_MS.items() if p50_ms else ():
            over_ms = p50_ms[asked, TRITON] - p50_ms[NOTHING, FLOOR]
            text = f"{asked}, {GOAL_SIZE:,} pictures, one client: p50 at most {limit_ms:g} ms over the {FLOOR}"
            yield Goal(text, f"{over_ms:+.1f} ms", over_ms <= limit_ms)


def write_repository(folder: Path, size: int, seed: int) -> Path:
    """Write a repository in which `rank_embedding` ranks the pictures 1 to `size`, with random unit vectors."""
    ignored = shutil.ignore_patterns("__pycache__")
    for model in ("gallery", "ranker", MODEL):
        shutil.copytree(REPOSITORY / model, folder / model, ignore=ignored)
    version = folder / "gallery" / "1"
    rng = np.random.default_rng(seed)
    about = json.loads((version / "gallery.json").read_text(encoding="utf-8"))
    vectors = rng.normal(size=(size, 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    shows = rng.integers(0, 1000, size)
    counts = np.stack([rng.integers(0, shows + 1), shows], axis=1).astype(np.float32)
    write_gallery(Gallery(vectors.astype(np.float16), np.arange(1, size + 1), [""] * size, counts, about), version)
    return folder


def _measure_size(repository: Path, users: dict[Kind, list[RankedUser]], number: int, args: Any) -> Iterator[Row]:
    first = users[KINDS[0]][0]
    with _triton(repository, first) as triton, _fastapi(repository, first) as fastapi:
        host, port = triton.url.split(":")
        with closing(HTTPClient(host, int(port))) as connection:
            floor = measure_answers(lambda _: bytes(connection.get("/v2/health/live").read()), 1, args.seconds)
        yield {"asked": NOTHING, "server": FLOOR, "clients": 1, **floor, "cpu_ms": float("nan")}
        for kind, of_kind in users.items():
            _check(triton.url, fastapi.url, of_kind[0])
            servers = {TRITON: (triton, triton_request), FASTAPI: (fastapi, json_request)}
            for clients in args.clients if kind is KINDS[0] else args.clients[:1]:
                for name in rotated(servers, number):
                    server, encode = servers[name]
                    requests = [encode(user) for user in of_kind]
                    yield {"asked": kind.name, "server": name, "clients": clients} | _load(
                        server.url, server.pid, requests, clients, args.seconds
                    )


def _load(url: str, pid: int, requests: Sequence[Request], clients: int, seconds: float) -> dict[str, float]:
    closed_loop(url, requests, clients, seconds / 4)
    cpu_s = cpu_seconds(pid)
    figures = closed_loop(url, requests, clients, seconds)
    figures["cpu_ms"] = 1000 * (cpu_seconds(pid) - cpu_s) / figures.pop("answers")
    return figures


def _check(triton: str, fastapi: str, user: RankedUser) -> None:
    lists = triton_pictures(post_json(triton, triton_request(user))), post_json(fastapi, json_request(user))["pictures"]
    if lists[0] != lists[1]:
        raise PeerError(f"expected the same list from {TRITON} and {FASTAPI}, got {lists[0]} and {lists[1]}")


def _triton(repository: Path, user: RankedUser) -> AbstractContextManager[PeerProcess]:
    command = ["{bin}/python", "-m", "server.launch.launcher", f"--model-repository={repository}"]
    ports = ("--http-port={http}", "--grpc-port={grpc}", "--metrics-port={metrics}")
    return _serving(TRITON, Path(sys.prefix), [*command, *ports], repository, triton_request(user))


def _fastapi(repository: Path, user: RankedUser) -> AbstractContextManager[PeerProcess]:
    command = ["{bin}/uvicorn", "perf.peers.apps.fastapi_ranking:app", "--host=127.0.0.1", "--port={http}"]
    quiet = ("--no-access-log", "--log-level=warning")
    return _serving(FASTAPI, ENVIRONMENTS / "fastapi", [*command, *quiet], repository, json_request(user))


def _serving(
    name: str, environment: Path, command: Sequence[str], repository: Path, request: Request
) -> AbstractContextManager[PeerProcess]:
    """Start a server, and wait until it answers a request."""
    packages = ("", "model_repository/preprocess/1", "model_repository/gallery/1")
    paths = os.pathsep.join(str(ROOT / package) for package in packages)
    # The launcher sets the same for Triton: a second thread of NumPy takes CPU and no time off.
    variables = (("PYTHONPATH", paths), ("OPENBLAS_NUM_THREADS", "1"))
    peer = Peer(name, "", environment, command, lambda *_: request, list, variables)
    return running(peer, free_ports(3), MODEL, repository, SyntheticUser(b"", ""))
