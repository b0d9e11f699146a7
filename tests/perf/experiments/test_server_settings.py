"""Variants of the repository: each changes what it says, is served, and is compared with what ships."""

import json
from pathlib import Path

import pandas as pd
import pytest

from perf.experiments import server_settings as tune
from perf.experiments.server_settings import SHIPPED, VARIANTS, Edit, Variant, markdown, repository_of, summarize
from perf.load.workload import users
from tests.support.tritonserver import ROOT


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_a_variant_changes_the_configurations_it_names_and_nothing_else(variant: Variant, tmp_path: Path) -> None:
    repository = repository_of(variant, tmp_path / "repository")
    changed = {
        config.parent.name
        for config in repository.glob("*/config.pbtxt")
        if config.read_text() != (ROOT / "model_repository" / config.parent.name / "config.pbtxt").read_text()
    }
    assert changed == {model for edit in variant.edits for model in edit.models}


def test_a_setting_that_is_no_longer_there_is_named(tmp_path: Path) -> None:
    variant = Variant("lost", (Edit(("preprocess",), "count: 77", "count: 1"),))
    with pytest.raises(ValueError, match=r"lost: preprocess/config\.pbtxt has no 'count: 77'"):
        repository_of(variant, tmp_path / "repository")


def test_each_round_is_compared_with_what_ships() -> None:
    def row(number: int, variant: str, figure: float) -> dict[str, object]:
        figures = dict.fromkeys(("p50_ms", "p99_ms", "per_s", "cpu_ms"), figure)
        return {"round": number, "model": "mobilenet", "clients": 8, "variant": variant, **figures}

    pairs = [(4.0, 2.0), (2.0, 3.0), (5.0, 4.0)]
    rows = [
        row(number, name, figure)
        for number, pair in enumerate(pairs)
        for name, figure in zip((SHIPPED, "other"), pair, strict=True)
    ]
    text = markdown(summarize(pd.DataFrame(rows)))
    assert "| mobilenet | 8 | other | 0.80 (0.50 to 1.50) | 0.80 | 0.80 | 0.80 |" in text
    assert SHIPPED not in text


def test_variants_are_served_and_measured(tmp_path: Path) -> None:
    rows = tune.tune((VARIANTS[0], VARIANTS[2]), users(8, seed=1), clients=[2], rounds=1, seconds=0.6)
    assert rows["variant"].tolist() == [SHIPPED, "1 preprocess instance"] * 2
    tune.report(rows, {"seed": 1}, tmp_path)
    written = json.loads((tmp_path / "tuning.json").read_text())
    assert {"date", "machine", "seed"} <= written.keys()
    assert len(written["variants"]) == 4
    assert (tmp_path / "tuning.csv").is_file()
