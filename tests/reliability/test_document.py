"""The document says of each file how often it was tried, and whether that is enough."""

import json
from pathlib import Path
from typing import Any

import pytest

from reliability import document as reliability
from reliability.document import SECTIONS, markdown, read

ABOUT = {"date": "2026-01-02T03:04:05", "machine": "2 cores", "seed": 1}
GOALS = [{"text": "held", "figure": "90%", "met": True}]


def drill(**changes: Any) -> dict[str, Any]:
    plain = {"fault": "stub killed", "goal_s": 5, "not_run": "", "sent": 1000, "lost": {}, "doubled": 0, "wrong": 0}
    return {**plain, "recovery_s": 2.5, "met": True, **changes}


def bad_input(wrong: int, died: bool, cpu_s: float = 0.5) -> dict[str, Any]:
    return {
        "kinds": [{"route": "preprocessing", "count": 1700, "worst_cpu_s": cpu_s, "memory_mb": 200}],
        "meanwhile": [{"answers": 50, "wrong": 0, "memory_mb": 100}],
        "killers": [{"front": False, "died": True}, {"front": True, "died": died}],
        "fuzzing": [{"executions": 9000, "crash": ""}],
        "wrong": [{}] * wrong,
    }


def files(drills: list[dict[str, Any]], inputs: dict[str, Any], counted: int = 7) -> dict[str, dict[str, Any]]:
    contents: dict[str, dict[str, Any]] = {
        "overload": {"goals": GOALS},
        "soak": {"goals": GOALS},
        "faults": {"drills": drills},
        "malformed": inputs,
        "observability": {"sent": {"refused": 7}, "counted": {"server": {"refused": counted}}},
    }
    return {name: {**ABOUT, **content} for name, content in contents.items()}


def test_all_is_well() -> None:
    text = markdown(files([drill()], bad_input(0, False)))
    assert "not met" not in text
    figure = "of 1,000 requests 0 lost, 0 doubled, 0 wrong; back after 2.5 s"
    assert f"| stub killed: nothing lost, back within 5 s | {figure} | met |" in text
    assert "| every bad input is answered or refused by name | 1,700 tried, 0 otherwise | met |" in text
    assert "| [faults.md](faults.md) | `python -m reliability faults` | 2026-01-02 | 2 cores | 1 |" in text


@pytest.mark.parametrize(
    ("contents", "count"),
    [
        (files([drill(lost={"Unavailable": 3}, met=False)], bad_input(0, False)), 1),
        (files([drill(not_run="no faketime")], bad_input(0, False)), 1),
        (files([], bad_input(1, False)), 1),
        (files([], bad_input(0, True)), 1),
        (files([], bad_input(0, False, cpu_s=1.5)), 1),
        (files([], bad_input(0, False), counted=6), 1),
    ],
)
def test_what_is_not_well_is_said(contents: dict[str, Any], count: int) -> None:
    assert markdown(contents).count("**not met**") == count


def test_a_missing_file_is_named_with_its_command(tmp_path: Path) -> None:
    for name in SECTIONS:
        if name != "faults":
            (tmp_path / f"{name}.json").write_text(json.dumps({}))
    with pytest.raises(FileNotFoundError, match=r"no .*faults\.json; write it with: python -m reliability faults"):
        read(tmp_path)


def test_the_shipped_document_is_of_the_shipped_files() -> None:
    assert (reliability.RESULTS / "RELIABILITY.md").read_text(encoding="utf-8") == markdown(read(reliability.RESULTS))
