"""Triton beside what a user would pick instead: the same network, preprocessing, users and load generator.

    make peers

Every round starts each server anew, checks its answers, and measures it at once and by more and more clients. Writes
`results/peers.{csv,json,md,png}`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from server.launch.process import ROOT, free_ports

from ..load.baselines import MODELS, newest
from ..load.http_client_load import HttpLoadError, ask, steady
from ..load.process_stats import cpu_seconds, resident_mb
from ..load.workload import User, users
from ..report.command import arguments, circumstances, write
from .apps.predictor import Predictor
from .catalogue import FASTAPI, TRITON, Peer, peers
from .serving import PeerError, running

CHECKED: Final = 16
# ONNX Runtime rounds a batch otherwise than a single row.
TOLERANCE: Final = 1e-3
ARM: Final = ["model", "peer", "clients"]
FIGURES: Final = ["p50_ms", "p99_ms", "per_s", "cpu_ms", "memory_mb", "ready_s"]


def compare(
    names: Sequence[str],
    models: Sequence[str],
    load: Sequence[User],
    clients: Sequence[int],
    rounds: int,
    seconds: float,
) -> pd.DataFrame:
    """Measure all peers in turn: one row for each round, model, peer and number of clients.

    Raises:
        PeerError: one is not installed, does not come up, or answers otherwise than the network does in this process.
        HttpLoadError: a request failed.
    """
    rows: list[dict[str, Any]] = []
    for number in range(rounds):
        for model in models:
            ports = free_ports(3)
            for peer in peers(model, ports):
                if peer.name in names:
                    found = _measure(peer, ports[0], model, load, clients, seconds)
                    rows += [{"round": number, "model": model, "peer": peer.name, **row} for row in found]
        print(f"round {number + 1} of {rounds}", flush=True)
    return pd.DataFrame(rows)


def _measure(
    peer: Peer, port: int, model: str, load: Sequence[User], clients: Sequence[int], seconds: float
) -> list[dict[str, Any]]:
    requests = [peer.request(user) for user in load]
    rows: list[dict[str, Any]] = []
    file = newest(ROOT / "model_repository", model)
    with running(peer, port, file, load[0]) as server:
        _check(peer, port, file, load[:CHECKED])
        for at_once in clients:
            steady(port, requests, at_once, seconds / 4)
            cpu = cpu_seconds(server.pid)
            found = steady(port, requests, at_once, seconds)
            found["cpu_ms"] = 1000 * (cpu_seconds(server.pid) - cpu) / found.pop("answers")
            rows.append({"clients": at_once, **found, "ready_s": server.ready_s})
        memory = sum(resident_mb(server.pid).values())
    return [{**row, "memory_mb": memory} for row in rows]


def _check(peer: Peer, port: int, file: Path, load: Sequence[User]) -> None:
    """Whoever answers something else does other work, and cannot be compared."""
    predictor = Predictor(str(file))
    for index, user in enumerate(load):
        expected = [*predictor.predict(user.avatar, user.nickname).values()]
        said = peer.read(ask(port, peer.request(user)))
        if not np.allclose(expected, said, atol=TOLERANCE):
            raise PeerError(f"{peer.name} answers {said} for user {index}, the network itself {expected}")


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """By model, peer and clients the median of the rounds; `throughput` and `cpu` are over FastAPI's of that round."""
    rival = rows[rows["peer"] == FASTAPI][["round", "model", "clients", "per_s", "cpu_ms"]]
    compared = rows.merge(rival, on=["round", "model", "clients"], suffixes=("", "_rival"))
    compared = compared.assign(
        throughput=compared["per_s"] / compared["per_s_rival"], cpu=compared["cpu_ms"] / compared["cpu_ms_rival"]
    )
    by_arm = compared.groupby(ARM, sort=False)
    found = by_arm[[*FIGURES, "throughput", "cpu"]].median()
    for figure in ("p50_ms", "throughput"):
        found[f"{figure}_low"], found[f"{figure}_high"] = by_arm[figure].min(), by_arm[figure].max()
    return found.reset_index()


def markdown(found: pd.DataFrame) -> str:
    """The document, from what `summarize` returned."""
    ordered = found.sort_values(["model", "clients", "per_s"], ascending=[True, True, False])
    lines = [
        f"| {row.model} | {row.clients} | {row.peer} | {row.p50_ms:.1f} ({row.p50_ms_low:.1f} to {row.p50_ms_high:.1f})"
        f" | {row.p99_ms:.1f} | {row.per_s:.0f} "
        f"| {row.throughput:.2f} ({row.throughput_low:.2f} to {row.throughput_high:.2f}) "
        f"| {row.cpu_ms:.1f} | {row.memory_mb:.0f} | {row.ready_s:.1f} |"
        for row in ordered.itertuples()
    ]
    setups = [f"- {peer.name}: {peer.setup}" for peer in peers(MODELS[0], (0, 0, 0))]
    return f"""# Triton and its peers

Written by `python -m perf.peers`, like `peers.json` beside it, which has machine, date and seed, and `peers.csv`,
which has every round. The same network, preprocessing, users and load generator for all, one after the other, each
started anew in every round; {CHECKED} answers of each were compared with the network's own. Medians of the rounds, p50
and what is relative to {FASTAPI} in the same round with their range. Memory is that of all its processes after the
load, ready the time from launch to the first answer.

| model | clients | | p50 ms | p99 ms | a second | of {FASTAPI}'s | CPU ms a request | memory MB | ready s |
|---|---|---|---|---|---|---|---|---|---|
{chr(10).join(lines)}

How each is set up:

{chr(10).join(setups)}
"""


def chart(found: pd.DataFrame) -> Figure:
    """Latency over throughput: a panel for each model, a line for each peer, p50 drawn through and p99 dotted."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    models = found["model"].unique()
    panels = np.atleast_1d(figure.subplots(1, len(models)))
    for axes, model in zip(panels, models, strict=True):
        for peer, arm in found[found["model"] == model].groupby("peer", sort=False):
            (line,) = axes.plot(arm["per_s"], arm["p50_ms"], "o-", label=str(peer), lw=3 if peer == TRITON else 1)
            axes.plot(arm["per_s"], arm["p99_ms"], "o:", color=line.get_color(), ms=3)
        axes.set(xlabel="answers a second", ylabel="ms", yscale="log", title=f"{model}: p50, and p99 dotted")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].legend(frameon=False, fontsize=8)
    return figure


def report(rows: pd.DataFrame, about: dict[str, Any], results: Path) -> None:
    """Write the measures, the medians, the document and the plot to the folder `results`."""
    found = summarize(rows)
    write("peers", rows, markdown(found), results, **about, arms=found.round(4).to_dict("records"))
    chart(found).savefig(results / "peers.png", dpi=110)


def main() -> None:
    args = arguments(__doc__, clients=[1, 8, 32])
    about = circumstances(args)
    names = [peer.name for peer in peers(MODELS[0], (0, 0, 0))]
    try:
        rows = compare(names, MODELS, users(args.users, args.seed), args.clients, args.rounds, args.seconds)
    except (PeerError, HttpLoadError, OSError) as exc:
        raise SystemExit(f"peers: {exc}") from exc
    report(rows, about, args.results)
    print((args.results / "peers.md").read_text())
