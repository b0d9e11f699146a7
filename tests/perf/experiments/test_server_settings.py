"""Variants of the repository: their edits, and their comparison with what ships."""

from pathlib import Path

import pandas as pd
import pytest

from perf.experiments import server_settings
from perf.experiments.server_settings import SHIPPED, Edit, ServerSettings, Variant, repository_of, variants
from perf.load.served import gender_ensembles
from perf.report.experiment import Measurement
from tests.support.markdown import cells
from tests.support.perf.arguments import short
from tests.support.tritonserver import ROOT

VARIANTS = variants(tuple(gender_ensembles()))


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_variant_changes_only_the_configurations_that_it_names(variant: Variant, tmp_path: Path) -> None:
    repository = repository_of(variant, tmp_path / "repository")
    changed = {
        config.parent.name
        for config in repository.glob("*/config.pbtxt")
        if config.read_text() != (ROOT / "model_repository" / config.parent.name / "config.pbtxt").read_text()
    }
    assert changed == {model for edit in variant.edits for model in edit.models}


def test_edit_of_a_missing_text_is_an_error(tmp_path: Path) -> None:
    variant = Variant("lost", (Edit(("preprocess",), "count: 77", "count: 1"),))
    with pytest.raises(ValueError, match=r"lost: expected 'count: 77' in preprocess/config\.pbtxt"):
        repository_of(variant, tmp_path / "repository")


def test_table_compares_variants_with_what_ships_in_the_same_round() -> None:
    rows = pd.DataFrame(
        {"round": number, "model": "mobilenet", "clients": 8, "variant": name}
        | dict.fromkeys(("p50_ms", "p99_ms", "per_s", "cpu_ms"), figure)
        for number, pair in enumerate([(4.0, 2.0), (2.0, 3.0), (5.0, 4.0)])
        for name, figure in zip((SHIPPED, "other"), pair, strict=True)
    )
    (row,) = cells(ServerSettings().table(Measurement(rows, {})))[1:]
    assert row == ["mobilenet", "8", "other", "0.80 (0.50 to 1.50)", "0.80", "0.80", "0.80"]


def test_variants_are_served_and_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_settings, "variants", lambda _: (VARIANTS[0], VARIANTS[2]))
    monkeypatch.setattr(server_settings, "gender_ensembles", lambda: {"mobilenet": "gender_mobilenet"})
    rows = ServerSettings().measure(short()).rows
    assert rows["variant"].tolist() == [SHIPPED, "instances in turn"]
    assert (rows["per_s"] > 0).all()
