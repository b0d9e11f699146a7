"""An A/B test of rankers from logs: what the figures are, and which verdicts follow."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perf.experiments.ab_ranking import RankingAB, verdict
from perf.report.experiment import MeasurementError

ARMS = ("rank_a", "rank_b")
USERS, PICTURES = 400, 5


def write_logs(folder: Path, p_like: dict[str, float], arms: list[str]) -> argparse.Namespace:
    """Write two lists for each user, and likes with the probability of the user's arm."""
    rng = np.random.default_rng(0)
    exposures, likes = [], []
    for number, arm in enumerate(arms):
        for day in range(2):
            time = 1e9 + 86_400 * day + number
            shown = {"request_id": f"{number}/{day}", "user": f"u{number}", "time": time, "arm": arm}
            pictures = rng.permutation(50)[:PICTURES].tolist()
            exposures.append({**shown, "pictures": pictures, "propensities": [1.0] * PICTURES})
            chosen = [picture for picture in pictures if rng.random() < p_like[arm]]
            likes += [{"user": f"u{number}", "picture": picture, "time": time + 1} for picture in chosen]
    for name, rows in (("exposures", exposures), ("likes", likes)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = {name: folder / f"{name}.jsonl" for name in ("exposures", "likes")}
    return argparse.Namespace(**files, arms=None, weights=[1, 1], source="a simulation")


def analyze(folder: Path, p_like: dict[str, float], arms: list[str]) -> Any:
    return RankingAB().measure(write_logs(folder, p_like, arms)).metadata


def test_arm_with_more_likes_is_chosen(tmp_path: Path) -> None:
    analysis = analyze(tmp_path, {"rank_a": 0.2, "rank_b": 0.4}, [*ARMS] * (USERS // 2))
    assert [(row["arm"], row["users"], row["lists"]) for row in analysis["rows"]] == [
        ("rank_a", USERS // 2, USERS), ("rank_b", USERS // 2, USERS)
    ]  # fmt: skip
    assert analysis["rows"][0]["likes"] == pytest.approx(0.2 * PICTURES, abs=0.1)
    difference = analysis["difference"]
    assert difference["low"] < 0.2 * PICTURES < difference["high"]
    assert verdict(analysis).startswith("Choose rank_b (rank_b minus rank_a: +")


def test_difference_by_chance_is_undecided(tmp_path: Path) -> None:
    analysis = analyze(tmp_path, {"rank_a": 0.3, "rank_b": 0.3}, [*ARMS] * (USERS // 2))
    assert verdict(analysis).startswith("Undecided")


def test_unequal_arms_are_a_fault(tmp_path: Path) -> None:
    analysis = analyze(tmp_path, {"rank_a": 0.2, "rank_b": 0.4}, ["rank_a"] * 300 + ["rank_b"] * 100)
    assert verdict(analysis) == "Choose neither yet: rank_a had 300 users, rank_b 100; find the fault."


def test_arms_of_unequal_weights_are_compared(tmp_path: Path) -> None:
    args = write_logs(tmp_path, {"rank_a": 0.2, "rank_b": 0.4}, ["rank_a"] * 300 + ["rank_b"] * 100)
    args.arms, args.weights = ["rank_b", "rank_a"], [0.1, 0.3]
    assert verdict(RankingAB().measure(args).metadata).startswith("Choose rank_b")
    args.weights = [0.1, 0.0]
    with pytest.raises(MeasurementError, match="--weights: expected two positive numbers"):
        RankingAB().measure(args)


def test_users_of_both_arms_are_left_out(tmp_path: Path) -> None:
    args = write_logs(tmp_path, {"rank_a": 0.2, "rank_b": 0.4}, [*ARMS] * (USERS // 2))
    lines = args.exposures.read_text().replace('"arm": "rank_a"', '"arm": "rank_b"', 1)
    args.exposures.write_text(lines)
    analysis = RankingAB().measure(args).metadata
    assert analysis["in_both"] == 1
    assert [row["users"] for row in analysis["rows"]] == [USERS // 2 - 1, USERS // 2]


def test_lists_of_one_arm_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="expected the lists of two arms, got 1"):
        analyze(tmp_path, {"rank_a": 0.2}, ["rank_a"] * 10)


def test_log_without_arms_is_refused(tmp_path: Path) -> None:
    args = write_logs(tmp_path, {"rank_a": 0.2}, ["rank_a"])
    args.exposures.write_text(args.exposures.read_text().replace('"arm"', '"armed"'))
    with pytest.raises(MeasurementError, match="arm missing"):
        RankingAB().measure(args)
