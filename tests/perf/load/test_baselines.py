"""The baselines run what the repository serves."""

import shutil
from pathlib import Path

import numpy as np

from perf.load.baselines import network, prepare
from perf.load.workload import synthetic_users
from server.catalog import Catalog
from tests.support.tritonserver import ROOT

REPOSITORY = ROOT / "model_repository"


def test_onnx_runtime_baseline_runs_the_served_version(tmp_path: Path) -> None:
    """A newer version on disk that no ensemble serves does not count."""
    repository = tmp_path / "model_repository"
    for name in ("mobilenet", "gender_mobilenet"):
        shutil.copytree(REPOSITORY / name, repository / name)
    newest = repository / "mobilenet" / str(Catalog(repository).served_version("mobilenet") + 1)
    newest.mkdir()
    (newest / "model.onnx").write_bytes(b"not a network")
    (user,) = synthetic_users(1, seed=1)
    expected, actual = (network(folder, "mobilenet")(prepare(user)) for folder in (REPOSITORY, repository))
    np.testing.assert_array_equal(actual[0], expected[0])
