"""The ablation compares rows with their ceilings, flags what is above them, and its document names what is missing."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from training.ranking.ablate import finished_runs, train_all
from training.ranking.ablation_data import Data, ceilings, prepare
from training.ranking.ablation_report import chart, markdown
from training.ranking.ablation_results import content
from training.ranking.ablation_rows import PAIRS, ROWS, Row
from training.ranking.config import Config
from training.synthetic.preferences import CELLS

SERVED, IDS, WITHOUT_GENDER = "served: no ids", "ids", "served, without gender"


@pytest.fixture(scope="module")
def data() -> Data:
    themes, styles = zip(*CELLS, strict=True)
    cards = pd.DataFrame({"theme": list(themes) * 14, "style": list(styles) * 14})
    cards["id"] = np.arange(1, len(cards) + 1)
    cards["split"] = np.where(np.arange(len(cards)) < 10 * len(CELLS), "train", "test")
    vectors = np.random.default_rng(0).normal(size=(len(cards), 8))
    return prepare(cards, vectors, None, None, (1500, 600))


@pytest.fixture(scope="module")
def report(data: Data) -> dict[str, Any]:
    """Results of a row at its ceiling, of one at chance and of one that knows the likes."""
    exact, rng = ceilings(data), np.random.default_rng(1)
    liked = data.sessions.rows(data.measured).liked
    active = data.setting.stock.active(data.setting.stock.last_day) + 1

    def runs(logits: list[Any]) -> dict[int, dict[str, Any]]:
        lists = rng.choice(active, (5, 10))
        return {seed: {"logits": each, "lists": lists, "cpu_s": 1.0} for seed, each in enumerate(logits, 1)}

    results = content(
        data,
        exact,
        {
            SERVED: runs([logit(exact["all"])] * 2),
            IDS: runs([rng.normal(size=liked.shape) for _ in range(2)]),
            WITHOUT_GENDER: runs([3.0 * liked + rng.normal(size=liked.shape)]),
        },
        5,
    )
    return {**results, "vectors": "vectors.npy"}


def test_exact_probabilities_reach_the_ceiling(report: dict[str, Any]) -> None:
    for part in ("all", "unseen"):
        assert report["rows"][SERVED][part]["share"] == pytest.approx(1, abs=1e-3)
        assert not report["rows"][SERVED][part]["above_ceiling"]
    assert report["rows"][SERVED]["all"]["ece"] < 0.03


def test_random_scores_are_at_chance(report: dict[str, Any]) -> None:
    row = report["rows"][IDS]
    assert row["all"]["gauc_low"] < 0.5 < row["all"]["gauc_high"]
    # Ids have no ceiling to compare with on unseen pictures.
    assert row["unseen"]["share"] is None


def test_a_leak_is_above_the_ceiling(report: dict[str, Any]) -> None:
    assert report["rows"][WITHOUT_GENDER]["all"]["above_ceiling"]
    assert f"by more than chance, which would mean a leak: {WITHOUT_GENDER}" in markdown(report)


def test_pairs_are_compared_on_common_seeds(report: dict[str, Any]) -> None:
    (pair,) = report["pairs"]
    assert (pair["row"], pair["against"], pair["seeds"]) == (SERVED, WITHOUT_GENDER, [1])
    assert pair["all"]["difference"] < 0


def test_document_names_what_was_not_trained(report: dict[str, Any]) -> None:
    text = markdown(report)
    assert all(row.name in text for row in ROWS)
    assert "1 or 2 of 5 planned" in text
    assert len(chart(report).axes) == 1


def test_measured_sessions_are_of_the_last_day_and_not_of_calibration(data: Data) -> None:
    assert len(data.past) + len(data.calibration) + data.measured.sum() == len(data.sessions)
    assert (data.sessions.days[data.measured] == data.setting.stock.last_day).all()
    unseen = ~data.seen[data.sessions.rows(data.measured).shown]
    assert 0.1 < unseen.mean() < 0.9


def test_rows_and_pairs_are_consistent() -> None:
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names)
    assert {name for pair in PAIRS for name in pair} <= set(names)


def test_runs_are_finished_for_their_config_and_data(data: Data, tmp_path: Path) -> None:
    row = Row("row", config=Config(epochs=1), sessions=1500)
    longer = replace(row, config=Config(epochs=2))
    renamed = replace(row, article=".6", knowledge="ids")
    train_all([row], 1, {1500: data}, tmp_path)
    found = [list(finished_runs([each], {1500: data}, tmp_path)) for each in (row, longer, renamed)]
    assert found == [["row"], [], ["row"]]
