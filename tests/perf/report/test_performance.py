"""The document says of each goal what was measured and whether that is enough."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from perf.experiments import latency as sweep
from perf.experiments import scaling_report as cost_report
from perf.experiments.response_cache import CACHING
from perf.load.baselines import MODELS
from perf.peers import compare
from perf.peers.catalogue import FASTAPI, TRITON
from perf.report import performance
from perf.report.performance import SECTIONS, goals, markdown, read

ABOUT = {"date": "2026-01-02T03:04:05", "machine": "2 cores", "seed": 1}


def arm(model: str, how: str, clients: int, **figures: float) -> dict[str, Any]:
    every = dict.fromkeys((*sweep.FIGURES, "ratio", "over_bare_ms", "p50_low_ms", "p50_high_ms"), 1.0)
    return {"model": model, "how": how, "clients": clients, **every, **figures}


def sweep_arms(model: str) -> Iterator[dict[str, Any]]:
    yield arm(model, "grpc", 1, over_bare_ms=1.4)
    yield arm(model, "http", 1, over_bare_ms=1.1)
    yield arm(model, "http", 8, over_bare_ms=30)
    yield arm(model, sweep.AT_RATE, 0, p50_ms=5, p99_ms=20)


def peer_rows(clients: int, throughput: float, cpu: float) -> Iterator[dict[str, Any]]:
    figures = dict.fromkeys(compare.FIGURES, 1.0)
    for model in MODELS:
        yield {"round": 0, "model": model, "peer": FASTAPI, "clients": clients, **figures}
        mine = {**figures, "per_s": throughput, "cpu_ms": cpu}
        yield {"round": 0, "model": model, "peer": TRITON, "clients": clients, **mine}


def cost_file(memory: list[float], given_up: float) -> dict[str, Any]:
    figures = dict.fromkeys(cost_report.FIGURES, 100.0)
    overload = {"per_s": 60.0, "refused_per_s": 900.0, "given_up_per_s": given_up}
    rows = pd.DataFrame(
        {"round": 0, "model": model, "kind": kind, "amount": amount, **figures, **changes}
        for model in MODELS
        for kind, amount, changes in (("clients", 8, {}), ("behind nginx", 2, {}), ("behind nginx", 10, overload))
    )
    scored = [
        {"model": "mobilenet", "users": users, "seconds": users / 100, "mobilenet": size, "tritonserver": 40.0}
        for users, size in zip((1_000, 10_100, 100_200), memory, strict=True)
    ]
    return {
        "arms": cost_report.summarize(rows).to_dict("records"),
        "capacity": cost_report.capacities(rows).to_dict("records"),
        "scored": scored,
    }


def repeats(p50_ms: float) -> list[dict[str, Any]]:
    figures = dict.fromkeys(("p99_ms", "cpu_ms", "p50_min_ms", "p50_max_ms"), 1.0)
    return [
        {"model": "mobilenet", "protocol": "grpc", "server": server, "p50_ms": p50, **figures}
        for server, p50 in (("without a cache", 9.0), (CACHING, p50_ms))
    ]


def files(
    throughput: float = 1.1, cpu: float = 0.9, memory: tuple[float, ...] = (100, 200, 210), given_up: float = 0
) -> dict[str, Any]:
    peers = pd.DataFrame([row for clients in (1, 8, 32) for row in peer_rows(clients, throughput, cpu)])
    ratios = {"p50_ms": 1.1, "p99_ms": 1.2, "per_s": 0.9, "cpu_ms": 1.3, "p50_low": 1.0, "p50_high": 1.2}
    contents: dict[str, dict[str, Any]] = {
        "sweep": {"ready_s": 4.2, "arms": [row for model in MODELS for row in sweep_arms(model)]},
        "breakdown": {"parts": [{"part": "rest", "densenet": 0.5, "mobilenet": 0.25}]},
        "peers": {"arms": compare.summarize(peers).to_dict("records")},
        "cost": cost_file([*memory], given_up),
        "cached": {"arms": repeats(0.2)},
        "tuning": {"variants": [{"model": "mobilenet", "clients": 8, "variant": "no queue delay", **ratios}]},
    }
    return {name: {**ABOUT, **content} for name, content in contents.items()}


def test_goals() -> None:
    found = {goal.text: (goal.figure, goal.met) for goal in goals(files())}
    assert found["densenet, one client: p50 at most 1.2 ms over bare ONNX Runtime"] == ("+1.1 ms", True)
    assert found["mobilenet, 70% load: p99 at most 3 times p50"] == ("4.0 times (20.0 ms)", False)
    assert found["ready within 8 s of launch"] == ("4.2 s", True)
    assert found["mobilenet: memory flat over 100,000 requests"] == ("240 MB after 10,000, 250 MB after 100,200", True)
    assert found["mobilenet, grpc: a repeat answered by the cache within 0.5 ms"] == ("0.20 ms", True)
    fastapi = "densenet, 8 clients: as many answers, for no more CPU, as FastAPI in process"
    assert found[fastapi] == ("1.10 of its answers, 0.90 of its CPU a request", True)
    assert sum("FastAPI" in text for text in found) == 4


@pytest.mark.parametrize(("throughput", "cpu"), [(0.99, 0.9), (1.1, 1.01)])
def test_fewer_answers_or_more_cpu_than_fastapi(throughput: float, cpu: float) -> None:
    found = [goal.met for goal in goals(files(throughput, cpu)) if "FastAPI" in goal.text]
    assert found == [False] * 4


def test_memory_that_grows() -> None:
    (memory,) = [goal for goal in goals(files(memory=(100, 200, 260))) if "memory" in goal.text]
    assert not memory.met


def test_overload() -> None:
    def found(given_up: float) -> list[tuple[str, bool]]:
        return [(goal.figure, goal.met) for goal in goals(files(given_up=given_up)) if "10 times" in goal.text]

    said = "60% of the most answered, p99 100 ms; refused within 100 ms"
    assert found(0) == [(said, True)] * 2
    assert found(0.5) == [(said, False)] * 2


def test_the_document() -> None:
    text = markdown(files())
    assert "| mobilenet, 70% load: p99 at most 3 times p50 | 4.0 times (20.0 ms) | **not met** |" in text
    assert "| ready within 8 s of launch | 4.2 s | met |" in text
    assert "| `peers.json` | 2026-01-02 | 2 cores | 1 |" in text
    assert "| densenet | grpc | 1 |" in text
    assert "| rest | 0.50 | 0.25 |" in text
    assert "| mobilenet | 8 | no queue delay | 1.10 (1.00 to 1.20) | 1.20 | 0.90 | 1.30 |" in text
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Latency and throughput",
        "## Where the time goes",
        "## Triton and its peers",
        "## Cost as work grows",
        "## A repeat answered by the cache",
        "## What each setting brings",
    ]


def test_a_missing_file_is_named_with_its_command(tmp_path: Path) -> None:
    for name in SECTIONS:
        if name != "tuning":
            (tmp_path / f"{name}.json").write_text(json.dumps({}))
    with pytest.raises(FileNotFoundError, match=r"no .*tuning\.json; write it with: python -m perf\.tune"):
        read(tmp_path)


def test_the_shipped_document_is_of_the_shipped_files() -> None:
    assert (performance.RESULTS / "PERFORMANCE.md").read_text() == markdown(read(performance.RESULTS))
