"""Each arm on real servers for a moment, and the document; tests/server shows that a job is held back."""

import pandas as pd
import pytest

from perf.experiments import priority
from perf.experiments.priority import compare, markdown, summarize
from perf.load.workload import users
from server.edge.reverse_proxy import find_nginx
from tests.support.tritonserver import Server


@pytest.mark.skipif(find_nginx() is None, reason="there is no nginx on this machine")
def test_each_arm_is_measured(triton: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(priority, "MODELS", ("mobilenet",))
    rows = compare(triton, users(8, seed=1), rounds=1, seconds=0.8).set_index("arm")
    assert list(rows.index) == ["no job", "job held back", "job like everybody"]
    assert rows["per_s"]["no job"] > 0
    assert rows["job_per_s"]["no job"] == 0 < rows["job_per_s"]["job held back"]


def test_the_document() -> None:
    measured = {"model": "mobilenet", "arm": "job held back", "per_s": 50.0, "refused_per_s": 0.0, "job_per_s": 99.6}
    rounds = [{**measured, "given_up_per_s": 0.0, "p50_ms": 8.0, "p99_ms": p99} for p99 in (20.0, 22.0, 30.0)]
    text = markdown(summarize(pd.DataFrame(rounds)))
    assert "| mobilenet | job held back | 50 | 0.0 | 8.0 | 22.0 | 30.0 | 100 |" in text
