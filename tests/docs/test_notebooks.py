"""The notebooks run from their first to their last cell, and are committed without outputs."""

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.tritonserver import ROOT, Server

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
# Text in the outputs, and the number of pictures.
EXPECTED = {
    "first_prediction": (["male 0.", "unknown", "AVATAR"], 1),
    "evaluation": (["decided ", "best possible accuracy"], 3),
    "ablation": (["test users, best possible accuracy", "verdict"], 1),
    "ranking": (["share of the seeds", "propensity"], 3),
}


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda file: file.stem)
def test_notebook_is_clean(notebook: Path) -> None:
    content = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(content)
    assert [cell.id for cell in content.cells if cell.get("outputs") or cell.get("execution_count")] == []


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda file: file.stem)
def test_notebook_runs(notebook: Path, triton: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENDERCLIENT_URL", f"grpc://{triton.grpc_url}")
    content = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    resources = {"metadata": {"path": str(notebook.parent)}}
    NotebookClient(content, timeout=300, kernel_name="python3", resources=resources).execute()
    outputs: list[dict[str, Any]] = [output for cell in content.cells for output in cell.get("outputs", ())]
    expected, pictures = EXPECTED[notebook.stem]
    text = json.dumps(outputs, ensure_ascii=False)
    assert [part for part in expected if part not in text] == []
    assert sum(bool({"image/png", "image/jpeg"} & output.get("data", {}).keys()) for output in outputs) == pictures
    assert [output for output in outputs if output["output_type"] == "error"] == []
