"""Both arms see the same users, on a real server; and the verdict follows from the numbers."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from genderclient import Client
from perf.experiments import ab_report
from perf.experiments.ab import ARMS, UsersError, analyse, read_users, shadow
from perf.experiments.ab_report import verdict
from tests.support.tritonserver import ROOT, running_triton
from training.synthetic.avatars import AvatarPool
from training.synthetic.nicknames import builtin_names
from training.synthetic.users import write_users

HEADER = ["nickname", "avatar", "gender"]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with running_triton(ROOT / "model_repository") as server, Client(f"grpc://{server.grpc_url}") as client:
        yield client


def write_csv(file: Path, *rows: list[str]) -> Path:
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)
    return file


def test_every_user_is_shown_to_both(client: Client, tmp_path: Path) -> None:
    users = read_users(write_users(40, AvatarPool(), builtin_names(), tmp_path, seed=1))
    rows = shadow(client, users, tmp_path, ARMS, seed=1, threads=2)
    assert rows["gender"].tolist() == users["gender"].tolist()
    assert (rows["first"] == shadow(client, users, tmp_path, ARMS, seed=1, threads=1)["first"]).all()
    assert {0, 1} == set(rows["first"])
    for position, arm in enumerate(ARMS):
        user = users.iloc[7]
        avatar = tmp_path / user["avatar"] if user["avatar"] else None
        alone = client.predict(nickname=user["nickname"], avatar=avatar, model=arm)
        assert rows[f"female_{position}"][7] == pytest.approx(alone.probabilities.female, abs=1e-5)
        assert (rows[f"ms_{position}"] > 0).all()
    found = analyse(rows, ARMS, seed=1)
    assert found["users"] == found["labelled"] == 40
    ab_report.write(found, 0.01, tmp_path / "results", seed=1, data="drawn", threads=2)
    stored = json.loads((tmp_path / "results" / "ab.json").read_text())
    assert {"date", "machine", "seed"} <= stored.keys()
    assert (tmp_path / "results" / "ab.md").read_text().splitlines()[0] == stored["verdict"]
    page = (tmp_path / "results" / "ab.html").read_text()
    assert stored["verdict"].split(":")[0] in page
    assert "data:image/png;base64,iVBOR" in page


def test_who_fails_is_counted_and_compared_no_further(client: Client, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    users = read_users(write_csv(tmp_path / "users.csv", HEADER[:2], ["a", "broken.jpg"], ["小美", ""]))
    found = analyse(shadow(client, users, tmp_path, ARMS, seed=1, threads=1), ARMS, seed=1)
    assert found["failed"] == {arm: {"InvalidAvatar": 1} for arm in ARMS}
    assert found["agreement"] in (0, 1)
    assert "accuracy" not in found


def test_labels_of_one_gender_have_an_accuracy_but_no_auc(client: Client, tmp_path: Path) -> None:
    users = read_users(write_csv(tmp_path / "users.csv", HEADER, ["小美", "", "female"], ["婷婷", "", "female"]))
    found = analyse(shadow(client, users, tmp_path, ARMS, seed=1, threads=1), ARMS, seed=1)
    assert found["labelled"] == 2
    assert "auc" not in found
    ab_report.write(found, 0.01, tmp_path / "results", seed=1, data="users.csv", threads=1)
    assert "AUC" not in (tmp_path / "results" / "ab.md").read_text()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["name", "avatar"], ["a", ""]], r"no column nickname; expected nickname, avatar, perhaps gender"),
        ([HEADER, ["a", "", "woman"]], r"row 0: gender 'woman'; expected male, female or nothing"),
        ([HEADER, ["a", "", "male"], ["b", "lost.jpg", ""]], r"row 1: no avatar lost\.jpg; expected a path"),
        ([HEADER], "no users"),
    ],
)
def test_users_that_cannot_be_read(rows: list[list[str]], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsersError, match=message):
        read_users(write_csv(tmp_path / "users.csv", *rows))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsersError, match=r"no file .*users\.csv; expected a CSV"):
        read_users(tmp_path / "users.csv")


def found(**changes: Any) -> dict[str, Any]:
    """What a second arm, half as slow and a little less accurate, would give."""
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
        ({}, "Choose small: its median answer is 2.0 times as fast, and it is not too much less accurate (-0.2 points"),
        ({"latency_ms": SLOWER}, "Choose big: its median answer is 2.0 times as fast"),
        (
            {"accuracy": accuracy(-0.03, -0.04, -0.02)},
            "Choose big: small costs too much (-3.0 points of accuracy, -4.0",
        ),
        ({"latency_ms": SLOWER, "accuracy": accuracy(0.03, 0.02, 0.04)}, "Choose small: big costs too much (-3.0"),
        # 0.5 points from the margin and an interval of 1.5: three times too wide, so nine times the users.
        ({"accuracy": accuracy(-0.005, -0.02, 0.01)}, "Undecided: small may cost too much (-0.5 points of accuracy"),
        ({"latency_ms": SAME_SPEED}, "Choose either: neither speed nor accuracy differs by more than chance."),
        (
            {"latency_ms": SAME_SPEED, "accuracy": accuracy(0.02, 0.01, 0.03)},
            "Choose small: as fast, and right on 2.0% more of the users.",
        ),
        ({"failed": {"big": {}, "small": {"Unavailable": 9}}}, "Choose big: small failed 9 times, it 0 times."),
        ({"failed": {"big": {"Unavailable": 1}, "small": {}}}, "Choose small: its median"),
        ({"sample_ratio_p": 1e-5, "asked_first": [700, 300]}, "Choose neither yet: big was asked first 700 times"),
    ],
)
def test_the_verdict(changes: dict[str, Any], expected: str) -> None:
    assert verdict(found(**changes), margin=0.01).startswith(expected)


def test_how_many_users_would_decide() -> None:
    said = verdict(found(accuracy=accuracy(-0.005, -0.02, 0.01)), margin=0.01)
    assert said.endswith("show both to about 9000 users.")


def test_without_labels_speed_decides() -> None:
    unlabelled = {key: value for key, value in found().items() if key != "accuracy"}
    assert verdict(unlabelled, 0.01).endswith("who is right is not known, they agree on 95.0%.")


def test_nobody_answered() -> None:
    failed = {
        f"{name}_{i}": [value] for i in (0, 1) for name, value in (("error", "Unavailable"), ("female", float("nan")))
    }
    rows = pd.DataFrame({"gender": [""], "first": [0], **failed})
    assert verdict(analyse(rows, ("big", "small"), seed=1), 0.01) == "Choose neither: nobody got an answer from both."
