"""Growth on real servers for a moment, and the summary of known figures."""

import pandas as pd
import pytest

from perf.experiments import scaling
from perf.experiments.scaling import Scaling, capacities
from perf.report.experiment import Measurement
from tests.support.markdown import cells
from tests.support.perf.arguments import short

# Three rounds of one model; the best throughput is that of 8 clients, then twice that of 2.
ROWS = pd.DataFrame(
    {"round": number, "model": "mobilenet", "clients": clients, "p50_ms": 1.0, "p99_ms": 1.0}
    | {"per_s": per_s, "cpu_ms": cpu_ms}
    for number, pair in enumerate([((90.0, 5.0), (100.0, 4.0)), ((80.0, 3.0), (70.0, 9.0)), ((60.0, 6.0), (50.0, 9.0))])
    for clients, (per_s, cpu_ms) in zip((2, 8), pair, strict=True)
)


def scored(memory_mb: list[float]) -> dict[str, object]:
    counts = (1_000, 10_100, 100_200)
    return {
        "scored": [
            {"model": "mobilenet", "users": users, "seconds": users / 100, "preprocess": size, "tritonserver": 40.0}
            for users, size in zip(counts, memory_mb, strict=True)
        ]
    }


def test_capacity_follows_from_the_highest_throughput_of_each_round() -> None:
    (capacity,) = capacities(ROWS).to_dict("records")
    assert (capacity["per_s"], capacity["cpu_ms"]) == (80, 4)  # of 100, 80, 60 and 4, 3, 6
    assert capacity["users_a_day"] == pytest.approx(0.7 * 80 * 86_400 / 1e6)
    assert capacity["machine_h"] == pytest.approx(10_000_000 / (0.7 * 80) / 3600)
    assert capacity["core_h"] == pytest.approx(10_000_000 * 0.004 / 3600)


@pytest.mark.parametrize(("last_mb", "is_flat"), [(210, True), (260, False)])
def test_goal_is_flat_memory_once_buffers_are_full(last_mb: float, is_flat: bool) -> None:
    (goal,) = Scaling().goals(Measurement(ROWS, scored([100, 200, last_mb])))
    assert goal.met == is_flat
    assert goal.figure == f"240 MB after 10,000, {last_mb + 40} MB after 100,200"


def test_tables_have_medians_memory_and_capacity() -> None:
    rows = cells(Scaling().table(Measurement(ROWS, scored([70, 200, 210]))))
    assert ["mobilenet", "2", "80 (60 to 90)", "1.0", "1.0", "5.0"] in rows
    assert ["mobilenet", "1000", "10", "70", "40", "110"] in rows
    assert ["mobilenet", "4.8", "49.6", "11.1"] in rows


def test_clients_and_users_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "SCORED", (40, 200))
    monkeypatch.setattr(scaling, "gender_ensembles", lambda: {"mobilenet": "gender_mobilenet"})
    measurement = Scaling().measure(short())
    rows, (few, many) = measurement.rows, measurement.metadata["scored"]
    assert rows["clients"].tolist() == [2]
    assert (rows[["per_s", "cpu_ms"]] > 0).all(axis=None)
    assert 40 <= few["users"] < 200 <= many["users"]
    assert min(few["seconds"], many["seconds"]) > 0
    assert few["mobilenet"] > 20
