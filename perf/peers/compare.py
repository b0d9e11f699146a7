"""Triton against its peers: the same network, preprocessing, users and load."""

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any, ClassVar, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from figures.axes import shared_legend
from figures.style import WIDTH
from server.catalog import Catalog
from server.launch.process import free_ports

from ..load.http_client_load import closed_loop, post_json
from ..load.predictor import Predictor
from ..load.process_stats import cpu_seconds, pss_mb
from ..load.served import REPOSITORY
from ..load.workload import SyntheticUser, synthetic_users
from ..report.charts import plot_latency
from ..report.experiment import Charted, Goal, Measurement
from ..report.rounds import RoundsExperiment, Row, compare, rotated
from .catalogue import FASTAPI, PEERS, TRITON, Peer
from .serving import PeerError, running

CHECKED: Final = 16
# ONNX Runtime rounds differently in a batch than in a single row.
TOLERANCE: Final = 1e-3
# The numbers of clients for which Triton has to give more answers than FastAPI, and how many times as many.
GOAL_CLIENTS: Final = (8, 32)
GOAL_RATIO: Final = 1.1
# How much later than FastAPI's its answer to a single client may come.
GOAL_LATER_MS: Final = 0.6
SETUPS: Final = "\n".join(f"- {peer.name}: {peer.setup}" for peer in PEERS)


class Peers(RoundsExperiment, Charted):
    """Measure Triton and what one could use instead: FastAPI, LitServe, BentoML, MLServer and Ray Serve.

    Every round starts each server, checks its answers and measures it with more and more clients. `make peers` installs
    the peers first.
    """

    name = "peers"
    title = "Triton and its peers"
    clients = (1, 8, 32)
    arm = ("model", "peer", "clients")
    spread = ("p50_ms", "per_s_ratio")
    about = f"""\
All servers run the same network, preprocessing, users and load, one after the other, and start again in every round.
{CHECKED} answers of each are compared with those of the network. Values are medians of the rounds; p50 and the
throughput relative to {FASTAPI} in the same round have their range. Memory is that of all processes after the load;
`ready` is the time from launch to the first answer.

{SETUPS}"""
    columns: ClassVar = {
        "model": "{model}",
        "clients": "{clients}",
        "server": "{peer}",
        "p50 ms": "{p50_ms:.1f} ({p50_ms_low:.1f} to {p50_ms_high:.1f})",
        "p99 ms": "{p99_ms:.1f}",
        "per second": "{per_s:.0f}",
        f"relative to {FASTAPI}": "{per_s_ratio:.2f} ({per_s_ratio_low:.2f} to {per_s_ratio_high:.2f})",
        "CPU ms per request": "{cpu_ms:.1f}",
        "memory MB": "{memory_mb:.0f}",
        "ready s": "{ready_s:.1f}",
    }

    def measure_rounds(self, args: Any) -> Iterator[Row]:
        users, models = synthetic_users(args.users, args.seed), Catalog(REPOSITORY).backbones()
        for number, model in product(range(args.rounds), models):
            for peer in rotated(PEERS, number):
                for row in measure_peer(peer, model, users, args.clients, args.seconds):
                    yield {"round": number, "model": model, "peer": peer.name, **row}

    def summarize(self, rows: pd.DataFrame) -> pd.DataFrame:
        on, figures = ["round", "model", "clients"], ["per_s", "cpu_ms"]
        arms = super().summarize(compare(rows, rows[rows["peer"] == FASTAPI], on, figures))
        return arms.sort_values(["model", "clients", "per_s"], ascending=[True, True, False])

    def goals(self, measurement: Measurement) -> Iterator[Goal]:
        arms = self.summarize(measurement.rows)
        for arm in arms[(arms["peer"] == TRITON) & arms["clients"].isin(GOAL_CLIENTS)].to_dict("records"):
            throughput, cpu = arm["per_s_ratio"], arm["cpu_ms_ratio"]
            who = f"{arm['model']}, {arm['clients']} clients"
            text = f"{who}: {GOAL_RATIO} times the throughput of {FASTAPI} for at most its CPU"
            rounds = f"{arm['per_s_ratio_low']:.2f} to {arm['per_s_ratio_high']:.2f}"
            figure = f"{throughput:.2f} ({rounds} in the rounds) of its throughput, {cpu:.2f} of its CPU per request"
            yield Goal(text, figure, throughput >= GOAL_RATIO and cpu <= 1)
        for model, later_ms in _later_ms(measurement.rows):
            text = f"{model}, one client: p50 within {GOAL_LATER_MS} ms of {FASTAPI}"
            rounds = f"{min(later_ms):+.2f} to {max(later_ms):+.2f} in the rounds"
            yield Goal(text, f"{median(later_ms):+.2f} ms ({rounds})", median(later_ms) <= GOAL_LATER_MS)

    def chart(self, measurement: Measurement) -> Figure:
        arms = self.summarize(measurement.rows).sort_values("peer", kind="stable")
        models = arms["model"].unique()
        figure = Figure(figsize=(WIDTH, 4.8))
        for axes, model in zip(figure.subplots(1, len(models), squeeze=False)[0], models, strict=True):
            plot_latency(axes, arms[arms["model"] == model], x="per_s", thing="peer")
            axes.set(xlabel="answers per second", title=model)
        shared_legend(figure)
        return figure


def _later_ms(rows: pd.DataFrame) -> Iterator[tuple[str, list[float]]]:
    """Yield each model, and by round how much later Triton answers a single client than FastAPI."""
    alone = rows[rows["clients"] == 1].pivot_table(index=["model", "round"], columns="peer", values="p50_ms")
    if {TRITON, FASTAPI} <= {*alone}:
        for model, of_model in (alone[TRITON] - alone[FASTAPI]).groupby("model"):
            yield str(model), of_model.tolist()


def measure_peer(
    peer: Peer, model: str, users: Sequence[SyntheticUser], clients: Sequence[int], seconds: float
) -> list[Row]:
    """Start a peer and measure it; returns one row per number of clients.

    Raises:
        PeerError: The peer is not installed, does not start, or answers differently from the network in this process.
        HttpLoadError: A request failed.
    """
    ports, file = free_ports(3), Catalog(REPOSITORY).served_onnx(model)
    requests = [peer.request(model, user) for user in users]
    rows: list[Row] = []
    with running(peer, ports, model, file, users[0]) as server:
        check_answers(peer, model, server.url, file, users[:CHECKED])
        for count in clients:
            closed_loop(server.url, requests, count, seconds / 4)
            cpu = cpu_seconds(server.pid)
            figures = closed_loop(server.url, requests, count, seconds)
            figures["cpu_ms"] = 1000 * (cpu_seconds(server.pid) - cpu) / figures.pop("answers")
            rows.append({"clients": count, **figures, "ready_s": server.ready_s})
        memory_mb = sum(pss_mb(server.pid).values())
    return [{**row, "memory_mb": memory_mb} for row in rows]


def check_answers(peer: Peer, model: str, url: str, file: Path, users: Sequence[SyntheticUser]) -> None:
    """Compare a peer's answers with those of the network in this process.

    Raises:
        PeerError: They differ, so the peer does different work.
    """
    predictor = Predictor(str(file))
    for index, user in enumerate(users):
        expected = [*predictor.predict(user.avatar, user.nickname).values()]
        answer = peer.probabilities(post_json(url, peer.request(model, user)))
        if not np.allclose(expected, answer, atol=TOLERANCE):
            raise PeerError(f"{peer.name}, user {index}: expected the network's answer {expected}, got {answer}")
