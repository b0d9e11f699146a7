"""What the documents, the client and the model repository say is what the last measurements say."""

import json
from pathlib import Path
from typing import Any

import pytest

from conversion.export import read_metadata
from conversion.model_card import RESULTS, card
from genderclient._base_client import DEFAULT_UNKNOWN_BELOW

ROOT = Path(__file__).parent.parent
REPORTS: dict[str, dict[str, Any]] = {
    file.stem.removeprefix("publish_"): json.loads(file.read_text()) for file in sorted(RESULTS.glob("publish_*.json"))
}


def test_the_model_card_is_of_these_results() -> None:
    ablation = json.loads((RESULTS / "ablation.json").read_text())
    assert (ROOT / "MODEL_CARD.md").read_text() == card(REPORTS, ablation)


def test_the_client_is_as_careful_as_the_models_need() -> None:
    assert max(report["unknown_below"] for report in REPORTS.values()) == DEFAULT_UNKNOWN_BELOW


@pytest.mark.parametrize(
    ("config", "model", "rows"),
    [
        ("recommended", "densenet", ["attention, ImageNet"]),
        ("mobilenet", "mobilenet", ["MobileNetV2", "MobileNetV2, distilled"]),
        ("nickname", None, ["text tower alone"]),
        ("seed", None, ["seed preset"]),
    ],
)
def test_a_config_promises_what_was_measured(config: str, model: str | None, rows: list[str]) -> None:
    promised = (ROOT / "training" / "configs" / f"{config}.py").read_text()
    rates, ablation = (json.loads((RESULTS / f"{name}.json").read_text()) for name in ("data_scale", "ablation"))
    if config in rates["rates"]:
        assert f"{rates['rates'][config]['training_rows_per_s']} rows a second" in promised
    if model:
        everybody = REPORTS[model]["int8_test"]["all"]
        assert f"{everybody['accuracy']:.1%} of the test split where {everybody['ceiling']:.1%}" in promised
    for row in rows:
        accuracy = [seed["accuracy"] for seed in ablation["rows"][row]["seeds"].values()]
        assert f"{sum(accuracy) / len(accuracy):.1%}" in promised


@pytest.mark.parametrize("model", REPORTS)
def test_the_measured_model_is_the_one_that_ships(model: str) -> None:
    report = REPORTS[model]
    (folder,) = (each for each in (ROOT / "model_repository" / model).iterdir() if each.is_dir())
    assert folder.name == str(report["version"])
    assert (folder / "model.onnx").stat().st_size == pytest.approx(report["int8_bytes"], rel=0.001)
    metadata = read_metadata(folder / "model.onnx")
    assert (metadata["trained"], metadata["backbone"]) == (
        report["training"]["date"],
        report["training"]["config"]["backbone"],
    )
