"""Groups of users and their metrics."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.support.training.users import random_users
from training.evaluation.metrics import wilson_interval
from training.evaluation.slices import by_slice, groups, script

TABLE = pd.DataFrame(
    {
        "nickname": ["国强7", "Anna🌹", "", "_7_"],
        "source": ["drawn", "drawn", "photo", ""],
        "stratum": ["both", "neither", "both", "both"],
    }
)
USERS = replace(
    random_users(4, size=1),
    present=np.array([[True, True], [False, True], [True, False], [True, True]]),
    female=np.array([[0.0], [1.0], [1.0], [0.0]], np.float32),
)


def test_groups() -> None:
    assert {name: np.flatnonzero(members).tolist() for name, members in groups(TABLE, USERS).items()} == {
        "all": [0, 1, 2, 3],
        "both": [0, 3],
        "avatar only": [2],
        "nickname only": [1],
        "source drawn": [0, 1],
        "source photo": [2],
        "script Han": [0],
        "script Latin": [1],
        "script other": [3],
        "stratum both": [0, 2, 3],
        "stratum neither": [1],
        "with emoji": [1],
    }


def test_each_group_has_its_own_metrics() -> None:
    slices = by_slice(TABLE, USERS, np.array([0.1, 0.2, 0.9, 0.3]))
    assert {name: summary["accuracy"] for name, summary in slices.items() if summary["accuracy"] < 1} == {
        "all": 0.75,
        "nickname only": 0.0,
        "source drawn": 0.5,
        "script Latin": 0.0,
        "stratum neither": 0.0,
        "with emoji": 0.0,
    }


def test_users_without_inputs_are_no_group() -> None:
    present = USERS.present.copy()
    present[0] = False
    assert "nothing" not in groups(TABLE, replace(USERS, present=present))


def test_shared_identities_widen_the_interval() -> None:
    p_female = np.array([0.1, 0.2, 0.9, 0.3])
    slices = by_slice(TABLE.assign(identity=["a", "b", "c", "c"]), USERS, p_female)
    assert (slices["all"]["accuracy"], slices["all"]["accuracy_low"]) == (0.75, 0.0)
    # All resamples are alike: the interval is that of two users, and not of length 0.
    low, high = wilson_interval(2, 2)
    assert (slices["both"]["accuracy_low"], slices["both"]["accuracy_high"]) == (round(low, 4), high)


def test_posteriors_score_each_decision() -> None:
    slices = by_slice(TABLE.assign(posterior=[0.1, 0.5, 0.8, 0.3]), USERS, np.array([0.9, 0.9, 0.9, 0.1]))
    assert slices["all"]["expected_accuracy"] == pytest.approx((0.1 + 0.5 + 0.8 + 0.7) / 4)
    assert "expected_accuracy" not in slices["stratum both"]


def test_synthetic_users_have_a_ceiling_except_by_stratum() -> None:
    slices = by_slice(TABLE.assign(posterior=[0.1, 0.5, 0.8, 0.3]), USERS, np.full(4, 0.5))
    ceilings = {name: summary["ceiling"] for name, summary in slices.items() if "ceiling" in summary}
    assert ceilings["all"] == pytest.approx((0.9 + 0.5 + 0.8 + 0.7) / 4)
    assert ceilings["source drawn"] == pytest.approx(0.7)
    assert slices.keys() - ceilings.keys() == {"stratum both", "stratum neither"}


@pytest.mark.parametrize(
    ("nickname", "expected"),
    [("微信用户", "Han"), ("Li 强", "Han"), ("xyz9", "Latin"), ("Αθηνά", "other"), ("🌹", "other"), ("", "")],
)
def test_script(nickname: str, expected: str) -> None:
    assert script(nickname) == expected
