"""Medians over rounds, and comparisons within a round."""

import pandas as pd
import pytest

from perf.report.rounds import compare, medians, rotated

# Three rounds; the second was slow for both arms.
ROWS = pd.DataFrame(
    {"round": number, "arm": arm, "p50_ms": p50}
    for number, (bare, served) in enumerate([(2.0, 3.0), (4.0, 8.0), (2.0, 3.2)])
    for arm, p50 in (("bare", bare), ("served", served))
)


def test_medians_are_over_rounds_and_have_their_spread() -> None:
    served = medians(ROWS, by=["arm"], spread=["p50_ms"]).set_index("arm").loc["served"]
    assert served.to_dict() == {"p50_ms": 3.2, "p50_ms_low": 3.0, "p50_ms_high": 8.0}


def test_rows_are_compared_with_the_reference_of_their_round() -> None:
    compared = compare(ROWS, ROWS[ROWS["arm"] == "bare"], on=["round"], figures=["p50_ms"])
    served = medians(compared, by=["arm"]).set_index("arm").loc["served"]
    assert served["p50_ms_ratio"] == pytest.approx(1.6)  # of 1.5, 2 and 1.6
    assert served["p50_ms_difference"] == pytest.approx(1.2)  # of 1, 4 and 1.2


@pytest.mark.parametrize("count", [1, 2, 3, 6, 13])
def test_each_round_starts_with_another_arm(count: int) -> None:
    rounds = [rotated(range(count), number) for number in range(count)]
    assert {arms[0] for arms in rounds} == set(range(count))
    assert all(sorted(arms) == list(range(count)) for arms in rounds)
