"""The parts of an answer's time, from a real server."""

import pandas as pd
import pytest

from perf.experiments.breakdown import break_down, markdown, summarize
from perf.load.workload import users
from tests.support.tritonserver import Server


def test_parts_of_real_answers(triton: Server) -> None:
    rows = break_down(triton, users(8, seed=1), rounds=1, seconds=0.6)
    assert rows["model"].tolist() == ["densenet", "mobilenet"]
    for row in rows.to_dict("records"):
        steps = [
            row[name] for name in row if str(name).startswith(("preprocess c", "preprocess q", "model c", "model q"))
        ]
        assert len(steps) == 8
        assert min(steps) >= 0
        assert row["whole"] == pytest.approx(sum(steps) + row["rest"])
        assert 0 < row["preprocess alone"] < row["model alone"]
        assert row["model alone"] < 2 * row["model compute_infer"]
    assert rows["model alone"][0] > rows["model alone"][1]


def test_the_document() -> None:
    rows = pd.DataFrame(
        {"round": number, "model": model, "rest": rest, "whole": 9.0}
        for number, rests in enumerate([(1.0, 4.0), (2.0, 8.0), (3.0, 5.0)])
        for model, rest in zip(("densenet", "mobilenet"), rests, strict=True)
    )
    text = markdown(summarize(rows))
    assert "| part | densenet | mobilenet |\n|---|---|---|\n| rest | 2.00 | 5.00 |\n| whole | 9.00 | 9.00 |" in text
