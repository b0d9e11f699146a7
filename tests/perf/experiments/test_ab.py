"""An A/B test on a real server, and the verdicts that follow from known figures."""

import argparse
import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from genderclient import Client
from perf.experiments.ab import AB, UsersError, read_users, shadow
from perf.experiments.ab_analysis import analyze
from perf.experiments.ab_report import verdict
from perf.report.charts import draw
from perf.report.experiment import MeasurementError
from tests.support.markdown import cells
from tests.support.tritonserver import Server
from training.synthetic.avatars import AvatarPool
from training.synthetic.nicknames import builtin_names
from training.synthetic.users import write_users

ARMS = ("gender_densenet", "gender_mobilenet")
HEADER = ["nickname", "avatar", "gender"]


@pytest.fixture(scope="module")
def url(triton: Server) -> str:
    return f"grpc://{triton.grpc_url}"


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[Client]:
    with Client(url) as client:
        yield client


def write_csv(file: Path, *rows: list[str]) -> Path:
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)
    return file


def test_every_user_is_sent_to_both_arms_in_random_order(client: Client, tmp_path: Path) -> None:
    users = read_users(write_users(40, AvatarPool(), builtin_names(), tmp_path, seed=1))
    rows = shadow(client, users, tmp_path, ARMS, seed=1)
    assert rows["gender"].tolist() == users["gender"].tolist()
    assert (rows["first"] == shadow(client, users, tmp_path, ARMS, seed=1)["first"]).all()
    assert {0, 1} == set(rows["first"])
    for index, arm in enumerate(ARMS):
        user = users.iloc[7]
        avatar = tmp_path / user["avatar"] if user["avatar"] else None
        alone = client.predict(nickname=user["nickname"], avatar=avatar, model=arm)
        assert rows[f"p_female_{index}"][7] == pytest.approx(alone.probabilities.female, abs=1e-5)
        assert (rows[f"ms_{index}"] > 0).all()


def test_report_of_a_given_table_and_server(url: str, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "users.csv", HEADER, ["小美", "", "female"], ["婷婷", "", "female"])
    args = argparse.Namespace(data=file, url=url, arms=None, seed=1)
    measured = AB().measure(args)
    assert (measured.metadata["labelled"], measured.metadata["data"]) == (2, "users.csv")
    AB().write(measured, tmp_path / "results")
    stored = AB().read(tmp_path / "results")
    draw(AB(), stored, tmp_path / "results")
    # Labels of one gender have an accuracy but no AUC.
    assert {"accuracy of 2", "unknown"} <= {row[0] for row in cells(AB().table(stored))}
    assert "AUC" not in {row[0] for row in cells(AB().table(stored))}
    page = (tmp_path / "results" / "ab.html").read_text()
    assert verdict(stored.metadata).split(":")[0] in page
    assert "data:image/png;base64,iVBOR" in page


def test_failed_users_are_counted_but_not_compared(client: Client, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    users = read_users(write_csv(tmp_path / "users.csv", HEADER[:2], ["a", "broken.jpg"], ["小美", ""]))
    result = analyze(shadow(client, users, tmp_path, ARMS, seed=1), ARMS, seed=1)
    assert result["failed"] == {arm: {"InvalidAvatar": 1} for arm in ARMS}
    assert result["agreement"] in (0, 1)
    assert "accuracy" not in result


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["name", "avatar"], ["a", ""]], r"users\.csv: expected the columns nickname, .*; nickname is missing"),
        ([HEADER, ["a", "", "woman"]], r"row 0: expected the gender male, female or nothing, got 'woman'"),
        ([HEADER, ["a", "", "male"], ["b", "lost.jpg", ""]], r"row 1: expected a path .*; no avatar lost\.jpg"),
        ([HEADER], "expected at least one user, got none"),
    ],
)
def test_invalid_tables_of_users_are_errors(rows: list[list[str]], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsersError, match=message):
        read_users(write_csv(tmp_path / "users.csv", *rows))


def test_missing_table_of_users_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsersError, match=r"expected a CSV .*; no file .*users\.csv"):
        read_users(tmp_path / "users.csv")


def test_invalid_url_is_an_error(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "users.csv", HEADER, ["小美", "", "female"])
    with pytest.raises(MeasurementError, match=r"--url: .*"):
        AB().measure(argparse.Namespace(data=file, url="nowhere", arms=None, seed=1))


def test_analysis_of_known_users() -> None:
    """Arm 0 is right for 70 of 100 users, arm 1 for 80: 5 only by arm 0, 15 only by arm 1."""
    correct = [np.arange(100) < 70, (np.arange(100) >= 5) & (np.arange(100) < 85)]
    genders = np.where(np.arange(100) % 2, "female", "male")
    p_female = [np.where(each == (genders == "female"), 0.9, 0.1) for each in correct]
    columns = {"gender": genders, "first": np.arange(100) % 2}
    for index in (0, 1):
        columns[f"p_female_{index}"], columns[f"ms_{index}"] = p_female[index], np.full(100, 10.0 - 5 * index)
        columns[f"predicted_{index}"] = np.where(p_female[index] >= 0.5, "female", "male")
        columns[f"error_{index}"] = np.full(100, "")
    result = analyze(pd.DataFrame(columns), ARMS, seed=1)
    accuracy = result["accuracy"]
    assert accuracy["values"] == [0.7, 0.8]
    assert accuracy["intervals"][0] == pytest.approx([0.6042, 0.7811], abs=1e-4)  # Wilson
    assert accuracy["mcnemar_p"] == pytest.approx(0.0414, abs=1e-4)  # 5 of 20, exact and two-sided
    assert (accuracy["low"], accuracy["high"]) == pytest.approx((0.01, 0.19), abs=0.02)
    assert result["auc"]["values"] == pytest.approx([0.7, 0.8])
    assert result["latency_ms"]["p50"] == {"values": [10, 5], "difference": -5, "low": -5, "high": -5}


def analysis(**changes: Any) -> dict[str, Any]:
    """An analysis whose second arm is twice as fast and a little less accurate."""
    base = {
        "arms": ["big", "small"],
        "failed": {"big": {}, "small": {}},
        "asked_first": [50, 50],
        "sample_ratio_p": 1.0,
        "agreement": 0.95,
        "labelled": 1000,
        "latency_ms": {"p50": {"values": [20.0, 10.0], "difference": -10.0, "low": -11.0, "high": -9.0}},
        "accuracy": {"difference": -0.002, "low": -0.006, "high": 0.002},
    }
    return base | changes


def accuracy(difference: float, low: float, high: float) -> dict[str, float]:
    return {"difference": difference, "low": low, "high": high}


SAME_SPEED = {"p50": {"values": [10.0, 10.0], "difference": 0.0, "low": -1.0, "high": 1.0}}
SLOWER = {"p50": {"values": [10.0, 20.0], "difference": 10.0, "low": 9.0, "high": 11.0}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, r"Choose small: its median answer is 2\.0 times as fast, and .* not too much lower \(-0\.2 points"),
        ({"latency_ms": SLOWER}, r"Choose big: its median answer is 2\.0 times as fast"),
        ({"accuracy": accuracy(-0.03, -0.04, -0.02)}, r"Choose big: small costs too much \(-3\.0 points of accuracy"),
        (
            {"latency_ms": SLOWER, "accuracy": accuracy(0.03, 0.02, 0.04)},
            r"Choose small: big costs too much \(-3\.0 points",
        ),
        # 0.5 points from the margin and an interval of 1.5: three times too wide, so nine times the users.
        ({"accuracy": accuracy(-0.005, -0.02, 0.01)}, r"Undecided: .* \(-0\.5 points of .* about 9000 users\."),
        ({"latency_ms": SAME_SPEED}, r"Choose either: neither speed nor accuracy differs by more than chance\."),
        (
            {"latency_ms": SAME_SPEED, "accuracy": accuracy(0.02, 0.01, 0.03)},
            r"Choose small: as fast, and right for 2\.0% more of the users\.",
        ),
        ({"failed": {"big": {}, "small": {"Unavailable": 9}}}, r"Choose big: small failed 9 times, big 0 times\."),
        ({"failed": {"big": {"Unavailable": 1}, "small": {}}}, "Choose small: its median"),
        ({"sample_ratio_p": 1e-5, "asked_first": [700, 300]}, "Choose neither yet: big was asked first 700 times"),
    ],
)
def test_verdict(changes: dict[str, Any], expected: str) -> None:
    assert re.match(expected, verdict(analysis(**changes)))


def test_verdict_without_labels_goes_by_speed() -> None:
    unlabelled = {key: value for key, value in analysis().items() if key != "accuracy"}
    assert verdict(unlabelled).startswith("Choose small: its median answer is 2.0 times as fast")
    assert verdict(unlabelled).endswith("they agree on 95.0%.")


def test_verdict_without_answers_is_neither() -> None:
    failed = {
        f"{name}_{i}": [value] for i in (0, 1) for name, value in (("error", "Unavailable"), ("p_female", float("nan")))
    }
    rows = pd.DataFrame({"gender": [""], "first": [0], **failed})
    assert verdict(analyze(rows, ("big", "small"), seed=1)) == "Choose neither: no user got an answer from both."
