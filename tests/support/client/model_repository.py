"""Model repositories of stand-ins for a live Triton."""

import shutil
from pathlib import Path
from typing import Final

from tests.support.tritonserver import ROOT

GENDER_IO: Final = """
backend: "python"
max_batch_size: 8
input [
  { name: "AVATAR" data_type: TYPE_STRING dims: [ 1 ] },
  { name: "NICKNAME" data_type: TYPE_STRING dims: [ 1 ] }
]
output [
  { name: "PROBABILITIES" data_type: TYPE_FP32 dims: [ 2 ] },
  { name: "WEIGHTS" data_type: TYPE_FP32 dims: [ 2 ] },
  { name: "EMBEDDING" data_type: TYPE_FP32 dims: [ 256 ] }
]
"""


def add_model(repository: Path, name: str, config: str, *, code: str | None = "gender_model", version: int = 1) -> None:
    """Adds a model whose code is a file beside this one; an ensemble has none."""
    folder = repository / name / str(version)
    folder.mkdir(parents=True)
    policy = f"version_policy: {{ specific: {{ versions: {version} }} }}"
    (repository / name / "config.pbtxt").write_text(f"{config}\n{policy}\n")
    if code:
        shutil.copy(ROOT / "tests/support/client" / f"{code}.py", folder / "model.py")
