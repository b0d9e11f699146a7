"""The parts of an answer's time on a real server, and their table."""

import pandas as pd
import pytest

from perf.experiments.breakdown import Breakdown
from perf.load.served import gender_ensembles
from perf.report.experiment import Measurement
from tests.support.markdown import cells
from tests.support.perf.arguments import short


def test_parts_add_up_to_the_whole() -> None:
    rows = Breakdown().measure(short()).rows
    assert rows["model"].tolist() == list(gender_ensembles())
    for row in rows.to_dict("records"):
        alone = ("preprocess alone", "model alone")
        parts = [row[name] for name in row if str(name).startswith(("preprocess ", "model ")) and name not in alone]
        assert len(parts) == 8
        assert min(parts) >= 0
        assert row["whole"] == pytest.approx(sum(parts) + row["rest"])
        assert min(row[name] for name in alone) > 0


def test_table_has_the_median_of_each_part() -> None:
    rows = pd.DataFrame(
        {"round": number, "model": model, "rest": rest, "whole": 9.0}
        for number, rests in enumerate([(1.0, 4.0), (2.0, 8.0), (3.0, 5.0)])
        for model, rest in zip(("densenet", "mobilenet"), rests, strict=True)
    )
    assert cells(Breakdown().table(Measurement(rows, {}))) == [
        ["part", "densenet", "mobilenet"],
        ["rest", "2.00", "5.00"],
        ["whole", "9.00", "9.00"],
    ]
