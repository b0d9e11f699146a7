"""The text tower and the n-gram regression are measured on the same unseen nicknames."""

import json
from pathlib import Path
from random import Random

import pandas as pd
import pytest

from tests.support.training.stand_in import small_towers
from training.gender.evaluate_text import evaluate_text
from training.gender.model import build_nickname_model

pytestmark = pytest.mark.usefixtures("eager")

SYLLABLES = {"female": ("mi", "lia", "nna"), "male": ("rok", "tan", "bur")}


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Names whose syllables tell the gender."""
    rng, rows = Random(0), []
    for split, count in (("train", 600), ("validation", 100), ("test", 100)):
        for index in range(count):
            gender = ("male", "female")[index % 2]
            nickname = "".join(rng.choices(SYLLABLES[gender], k=3))
            rows.append((nickname, "", gender, split, "latin", float(gender == "female")))
    table = pd.DataFrame(rows, columns=["nickname", "avatar", "gender", "split", "source", "p_female"])
    table.to_parquet(tmp_path / "open.parquet")
    return tmp_path / "open.parquet"


def test_both_models_are_measured_on_all_sets(manifest: Path, tmp_path: Path) -> None:
    with small_towers():
        build_nickname_model().save(tmp_path / "model.keras")
    figures = evaluate_text(tmp_path, manifest, tmp_path / "nicknames.json")
    regression, tower = figures["n-gram regression"], figures["text tower"]
    assert regression["names"]["accuracy"] == regression["names"]["auc"] == 1.0
    assert regression["names"]["balanced_ece"] < 0.05
    assert tower["names"]["users"] == 100
    assert tower["census"]["users"] == 200
    assert 0.3 < tower["random words"]["mean"] < 0.7
    assert json.loads((tmp_path / "nicknames.json").read_text())["models"] == figures
