"""The figures, goals and tables of the malformed-input experiment."""

from typing import Any

import pandas as pd
import pytest

from perf.report.experiment import Measurement
from reliability.malformed.cases.case import Expected
from reliability.malformed.experiment import Malformed, summarize
from reliability.malformed.runner import unexpected

CRASHING = {"kind": "JSON depth", "name": "brackets", "result": "hung up", "seconds": 0.1, "memory_mb": 1.0}


def rows(result: str = "answered", cpu_s: float = 0.25, memory_mb: float = 100.0) -> pd.DataFrame:
    labels = {"route": "preprocessing", "what": "avatar", "kind": "bombs", "expected": "answered"}
    measured = {"message": "", "seconds": 0.5, "cpu_seconds": cpu_s, "memory_mb": memory_mb}
    return pd.DataFrame([{**labels, "name": name, "result": result, **measured} for name in ("a", "b")])


def measurement(
    table: pd.DataFrame, wrong: int = 0, server_mb: float = 9.0, died: bool = False, crash: str = ""
) -> Measurement:
    effects = {"route": "gRPC", "what": "avatar", "answers": 7, "wrong": wrong, "worst_s": 0.5, "memory_mb": server_mb}
    run = {"modality": "avatar", "executions": 10, "coverage": 5, "kept": 2, "crash": crash}
    results: dict[str, Any] = {
        "meanwhile": [{**effects, "memory_after_mb": 3.0}],
        "killers": [{**CRASHING, "front": False, "died": True}, {**CRASHING, "front": True, "died": died}],
        "fuzzing": [run],
    }
    return Measurement(pd.DataFrame(), {**summarize(table), **results})


def row(what: str, expected: Expected, result: str) -> dict[str, str]:
    return {"what": what, "expected": str(expected), "result": result}


def test_unexpected_results() -> None:
    wrong = [
        row("avatar", Expected.EITHER, "died"),
        row("avatar", Expected.EITHER, "another error"),
        row("avatar", Expected.ANSWER, "refused"),
        row("nickname", Expected.REFUSAL, "answered"),
        row("request", Expected.EITHER, "no answer"),
    ]
    right = [
        row("avatar", Expected.EITHER, "answered"),
        row("avatar", Expected.REFUSAL, "refused"),
        row("request", Expected.EITHER, "another error"),
        row("request", Expected.EITHER, "hung up"),
    ]
    assert unexpected(pd.DataFrame(wrong + right)).to_dict("records") == wrong


def test_summary_counts_by_route_and_kind() -> None:
    table = rows()
    table.loc[1, "result"] = "died"
    summary = summarize(table)
    (kind,) = summary["kinds"]
    assert (kind["count"], kind["wrong"], kind["answered"], kind["worst_cpu_s"]) == (2, 1, 1, 0.25)
    assert [each["name"] for each in summary["wrong"]] == ["b"]


@pytest.mark.parametrize(
    ("measured", "missed"),
    [
        (measurement(rows()), None),
        (measurement(rows(result="died")), 0),
        (measurement(rows(cpu_s=1.5)), 1),
        (measurement(rows(memory_mb=300)), 2),
        (measurement(rows(), wrong=1), 3),
        (measurement(rows(), server_mb=300), 4),
        (measurement(rows(), died=True), 5),
        (measurement(rows(), crash="log"), 6),
    ],
)
def test_goals_and_exit_code(measured: Measurement, missed: int | None) -> None:
    experiment = Malformed()
    assert [goal.met for goal in experiment.goals(measured)] == [number != missed for number in range(7)]
    assert bool(experiment.failure(measured)) == (missed in (0, 3, 5, 6))
    assert experiment.table(measured).count("| bombs ") == (3 if missed == 0 else 1)
