"""The document says of each goal what was measured and whether that is enough."""

from typing import Any

import pytest

from perf import sweep
from perf.fixed_points import MODELS
from perf.performance import goals, markdown


def arm(model: str, how: str, clients: int, **figures: float) -> dict[str, Any]:
    every = dict.fromkeys((*sweep.FIGURES, "ratio", "over_bare_ms", "p50_low_ms", "p50_high_ms"), 1.0)
    return {"model": model, "how": how, "clients": clients, **every, **figures}


def swept(**changes: Any) -> dict[str, Any]:
    arms = [
        row
        for model in MODELS
        for row in (
            arm(model, "grpc", 1, over_bare_ms=1.4),
            arm(model, "http", 1, over_bare_ms=1.1),
            arm(model, "http", 8, over_bare_ms=30),
            arm(model, sweep.AT_RATE, 0, p50_ms=5, p99_ms=20),
        )
    ]
    base = {
        "date": "2026-01-02T03:04:05",
        "machine": "2 cores",
        "seed": 1,
        "ready_s": 4.2,
        "resident_mb_before": {"densenet": 200.0, "tritonserver": 40.0},
        "resident_mb_after": {"densenet": 210.0, "tritonserver": 41.0},
        "requests": 120_000.0,
        "arms": arms,
    }
    return base | changes


def test_goals() -> None:
    found = {goal.text: (goal.figure, goal.met) for goal in goals(swept())}
    assert found["densenet, one client: p50 at most 1.2 ms over bare ONNX Runtime"] == ("+1.1 ms", True)
    assert found["mobilenet, 70% load: p99 at most 3 times p50"] == ("4.0 times (20.0 ms)", False)
    assert found["ready within 8 s of launch"] == ("4.2 s", True)
    assert found["memory flat over 100,000 requests"] == ("240 to 251 MB over 120000 requests", True)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"requests": 99_999.0}, None),
        ({"resident_mb_after": {"densenet": 300.0}}, False),
    ],
)
def test_memory_that_grows_or_was_not_watched_long_enough(changes: dict[str, Any], expected: bool | None) -> None:
    (memory,) = [goal for goal in goals(swept(**changes)) if goal.text.startswith("memory")]
    assert memory.met is expected


def test_the_document() -> None:
    text = markdown(swept(), None)
    assert "| mobilenet, 70% load: p99 at most 3 times p50 | 4.0 times (20.0 ms) | **not met** |" in text
    assert "| ready within 8 s of launch | 4.2 s | met |" in text
    assert "not measured" in text
    assert "Memory after 120000 requests, MB: densenet 210, tritonserver 41." in text
    assert "| densenet | grpc | 1 |" in text
    assert "## Settings" not in text
    shipped = {"model": "mobilenet", "clients": 8, "p50_ms": 1.1, "p99_ms": 1.2, "per_s": 0.9, "cpu_ms": 1.3}
    variants = [shipped | {"variant": "no queue delay", "p50_low": 1.0, "p50_high": 1.2}]
    assert "| mobilenet | 8 | no queue delay | 1.10 (1.00 to 1.20) | 1.20 | 0.90 | 1.30 |" in markdown(
        swept(), {"variants": variants}
    )
