"""Documents, client defaults and model repository agree with the last measurements."""

import json
from pathlib import Path
from typing import Any

import pytest

from conversion.export import read_metadata
from conversion.model_card import RESULTS, documents
from genderclient._config.request_options import DEFAULT_UNKNOWN_BELOW
from picturegallery.files import read_gallery

ROOT = Path(__file__).parent.parent
PUBLISHED: dict[str, dict[str, Any]] = {
    file.stem.removeprefix("publish_"): json.loads(file.read_text()) for file in sorted(RESULTS.glob("publish_*.json"))
}
# Of the gender models.
REPORTS = {name: report for name, report in PUBLISHED.items() if "int8_test" in report}


def test_documents_are_up_to_date() -> None:
    stale = [file.name for file, text in documents().items() if file.read_text() != text]
    assert stale == [], "run `python -m conversion.model_card`"


def test_client_threshold_is_highest_of_models() -> None:
    assert max(report["unknown_below"] for report in REPORTS.values()) == DEFAULT_UNKNOWN_BELOW


@pytest.mark.parametrize("model", REPORTS)
def test_measured_model_is_shipped_model(model: str) -> None:
    report = REPORTS[model]
    (folder,) = (each for each in (ROOT / "model_repository" / model).iterdir() if each.is_dir())
    assert folder.name == str(report["version"])
    assert (folder / "model.onnx").stat().st_size == pytest.approx(report["int8_bytes"], rel=0.001)
    metadata = read_metadata(folder / "model.onnx")
    assert (metadata["trained"], metadata["backbone"]) == (
        report["training"]["date"],
        report["training"]["config"]["backbone"],
    )


def test_measured_encoder_and_gallery_are_the_shipped_ones() -> None:
    encoder, gallery = PUBLISHED["picture_encoder"], PUBLISHED["gallery"]
    metadata = read_metadata(ROOT / "model_repository" / "picture_encoder" / str(encoder["version"]) / "model.onnx")
    shipped = read_gallery(ROOT / "model_repository" / "gallery" / str(gallery["version"]))
    assert metadata["encoder_digest"] == encoder["encoder_digest"] == gallery["encoder_digest"]
    assert metadata["trained"] == encoder["training"]["date"]
    assert (shipped.encoder_digest, len(shipped)) == (gallery["encoder_digest"], gallery["pictures"])
