"""Metrics, comparisons and verdicts of the ablation, and how the document shows them."""

from typing import Any

import numpy as np
import pytest

from tests.support.markdown import cells
from training.arrays import FloatsN
from training.evaluation.benchmark import GroundTruth
from training.gender import ablation_report
from training.gender.ablation_results import content, verdict
from training.gender.ablation_rows import ROWS

USERS = GroundTruth(
    female=np.array([True, False] * 50),
    posterior=np.array([0.9, 0.1] * 25 + [0.5] * 50),
    determinable=np.array([True] * 50 + [False] * 50),
    new_nickname=np.ones(100, bool),
    identities=np.arange(100),
)
BEST = np.array([0.9, 0.1] * 25 + [0.4] * 50)
CONSTANT = np.full(100, 0.6)
ORACLE = USERS.female * 1.0


def report(**rows: list[FloatsN]) -> dict[str, Any]:
    """Return the content for rows with the predictions of seeds 1, 2, ..."""
    run = {"date": "2026-01-01", "machine": "one", "versions": {"keras": "3"}, "prep_digest": "abc"}
    return content(
        USERS,
        np.ones(100, bool),
        {
            row: {seed: {**run, "p_female": p.tolist()} for seed, p in enumerate(rows[row.name], 1)}
            for row in ROWS
            if row.name in rows
        },
    )


def pair(low: float, value: float, high: float, seeds: int = 3) -> dict[str, Any]:
    return {"difference": value, "difference_low": low, "difference_high": high, "seeds": list(range(seeds))}


@pytest.mark.parametrize(
    ("article", "measured", "expected"),
    [
        (0.16, pair(0.01, 0.02, 0.03), "same direction"),
        (-0.07, pair(-0.09, -0.05, -0.01), "same direction"),
        (0.16, pair(-0.01, 0.01, 0.03), "no difference shown"),
        (-0.07, pair(0.02, 0.04, 0.06), "opposite direction"),
        (0.02, pair(-0.01, 0.01, 0.03), "undecided"),
        (0.16, pair(0.01, 0.02, 0.03, seeds=1), "undecided"),
    ],
)
def test_verdict(article: float, measured: dict[str, Any], expected: str) -> None:
    assert verdict(article, measured) == expected


def test_rows_and_pairs_are_measured_over_common_seeds() -> None:
    found = report(concat=[CONSTANT] * 3, attention=[BEST] * 3, FastText=[CONSTANT, BEST])
    assert (
        found["rows"]["attention"] | {"accuracy": 0.7, "share_of_ceiling": 1.0, "seeds": [1, 2, 3]}
        == (found["rows"]["attention"])
    )
    assert found["rows"]["FastText"]["accuracy_by_seed"] == [0.5, 0.7]
    claims = {(claim["row"], claim["against"]): claim for claim in found["claims"]}
    assert claims["attention", "concat"]["difference"] == pytest.approx(0.2)
    assert claims["attention", "concat"]["verdict"] == "same direction"
    assert claims["concat", "FastText"]["seeds"] == [1, 2]
    assert "text tower alone" in found["not_trained"]


def test_users_that_are_not_scored_are_left_out() -> None:
    run = {"date": "2026-01-01", "machine": "one", "versions": {}, "prep_digest": "abc", "p_female": BEST.tolist()}
    (row,) = (row for row in ROWS if row.name == "attention")
    found = content(USERS, np.arange(100) < 50, {row: {1: run}})
    assert (found["users"], found["ceiling"], found["rows"]["attention"]["users"]) == (50, 0.9, 50)
    assert found["rows"]["attention"]["accuracy"] == 0.9


def test_document_begins_with_what_is_not_reproduced() -> None:
    found = report(concat=[BEST] * 3, attention=[CONSTANT] * 3, FastText=[BEST] * 3)
    first = ablation_report.markdown(found).split("\n\n")[1]
    assert first.split("\n")[:2] == [
        "**Not reproduced, the direction is opposite: attention against concat.**",
        "**Not reproduced, no difference is shown: concat against FastText.**",
    ]


def test_document_names_rows_with_one_seed_and_leaks() -> None:
    found = report(concat=[CONSTANT] * 2, attention=[ORACLE])
    text = ablation_report.markdown(found)
    assert "Rows with\none seed: attention. " in text
    assert "this run: concat (2 of 3 seeds); attention (1 of 3 seeds).\nNot trained: FastText; text tower" in text
    assert "would indicate a leak:\nattention." in text
    rows = {row[0]: row[1:] for row in cells(ablation_report.table(found))}
    assert (rows["attention"][-1], rows["concat"][-1]) == ("one", "50.0%, 50.0%")


def test_chart_shows_every_row_and_ceiling() -> None:
    (axes,) = ablation_report.chart(report(concat=[CONSTANT] * 2, attention=[BEST])).axes
    (right,) = axes.child_axes
    assert [label.get_text() for label in right.get_yticklabels()] == ["50.0%", "70.0%, one seed"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["concat", "attention"]
    (ceiling,) = [line for line in axes.lines if line.get_label() == "ceiling 70.0%"]
    assert np.asarray(ceiling.get_xdata())[0] == 0.7
