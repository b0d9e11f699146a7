"""Models answer alike on the oldest ONNX Runtime that we support: 1.19.2, of NVIDIA's containers since 24.10."""

import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest

from conversion.parity import run_onnx
from server.catalog import Catalog
from tests.support.tritonserver import ROOT
from training.arrays import Arrays

PYTHON = ROOT / ".venv" / "oldest_runtime" / "bin" / "python"
CATALOG = Catalog(ROOT / "model_repository")

pytestmark = pytest.mark.skipif(
    not PYTHON.is_file(), reason="the oldest runtime is not installed: make .venv/oldest_runtime.stamp"
)


def run_on_oldest(model: Path, rows: Arrays, folder: Path) -> Arrays:
    np.savez(folder / "inputs.npz", **rows)
    script = Path(__file__).with_name("run_model.py")
    files = [str(folder / name) for name in ("inputs.npz", "outputs.npz")]
    done = subprocess.run([PYTHON, script, model, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(folder / "outputs.npz") as outputs:
        return dict(outputs)


def check(model: Path, rows: Arrays, folder: Path) -> None:
    """Compare outputs; ties between two levels of 8 bits may be rounded either way."""
    expected = run_onnx(str(model), rows, batch=len(rows["PRESENT"]))
    outputs = run_on_oldest(model, rows, folder)
    for name, array in expected.items():
        difference = np.abs(outputs[name] - array)
        assert difference.mean() < 1e-3, name
        assert difference.max() < 0.1, name


@pytest.mark.parametrize("backbone", CATALOG.backbones())
def test_served_model_answers_alike_on_oldest_runtime(backbone: str, rows: Arrays, tmp_path: Path) -> None:
    check(CATALOG.served_onnx(backbone), rows, tmp_path)


@pytest.mark.parametrize("kind", ["fp32", "int8", "dense_int8"])
def test_converted_model_answers_alike_on_oldest_runtime(
    kind: str, rows: Arrays, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    onnx.save(request.getfixturevalue(kind), tmp_path / "model.onnx")
    check(tmp_path / "model.onnx", rows, tmp_path)
