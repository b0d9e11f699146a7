"""A model repository with the product's preprocessing and ensemble, and a backbone whose answers reveal its version."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import onnx.parser

from genderprep import prep_digest
from genderprep.tensors import EMBEDDING_SIZE, IMAGE_SIZE, MAX_TOKENS
from server.catalog import Catalog
from tests.support.tritonserver import ROOT

MODELS = ("preprocess", "mobilenet", "gender_mobilenet")
SECOND_INSTANCE = ",\n  { kind: KIND_CPU count: 1 rate_limiter { priority: 10000 } }"
# Preprocessing 2 treats this nickname as missing; preprocessing 1 does not.
NEW_SENTINEL = "新用户"
UNKNOWN_DIGEST = "0123456789ab" + "0" * 52
GRAPH = """
<ir_version: 8, opset_import: ["" : 17]>
backbone (uint8[users, {size}, {size}, 3] IMAGE, int32[users, {tokens}] TOKENS, bool[users, 2] PRESENT)
    => (float[users, 2] PROBABILITIES, float[users, 2] WEIGHTS, float[users, {features}] EMBEDDING)
    <float zero = {{0}}, float[1, 2] answer = {{{male}, {female}}},
     int64[1] columns = {{1}}, int64[2] shape = {{1, {features}}}>
{{
    WEIGHTS = Cast <to = 1> (PRESENT)
    zeros = Mul (WEIGHTS, zero)
    PROBABILITIES = Add (zeros, answer)
    sum = ReduceSum (zeros, columns)
    EMBEDDING = Expand (sum, shape)
}}
"""
WAITING = """
        import time
        while Path("{folder}/hold").exists():
            Path("{folder}/held").touch()
            time.sleep(0.01)
"""


def write_repository(folder: Path) -> Path:
    """Write a repository in which gender_mobilenet serves version 2, and versions 3 and 4 are on disk."""
    for model in MODELS:
        source = ROOT / "model_repository" / model
        shutil.copytree(source, folder / model, ignore=shutil.ignore_patterns("model.onnx", "__pycache__"))
    edit(folder / "mobilenet" / "config.pbtxt", SECOND_INSTANCE, "")
    _serve_version_2(folder)
    for version in (2, 3, 4):
        publish(folder, version)
    return folder


def _serve_version_2(repository: Path) -> None:
    """Let the ensemble serve version 2, whichever the product serves."""
    version, ensemble = Catalog(repository).served_version("mobilenet"), repository / "gender_mobilenet"
    (ensemble / str(version)).rename(ensemble / "2")
    for model in ("mobilenet", "gender_mobilenet"):
        edit(repository / model / "config.pbtxt", f"versions: [ {version} ]", "versions: [ 2 ]")
    wired = 'model_name: "mobilenet"\n      model_version: '
    edit(ensemble / "config.pbtxt", f"{wired}{version}\n", f"{wired}2\n")


def p_female(version: int) -> float:
    """The probability that this version predicts for every user."""
    return version / 10


def publish(
    repository: Path,
    version: int,
    digest: str | None = None,
    image_size: int = IMAGE_SIZE,
    backbone: str = "mobilenet",
    **metadata: str,
) -> None:
    """Write a version of a backbone whose WEIGHTS are the presence of its inputs."""
    file = repository / backbone / str(version) / "model.onnx"
    file.parent.mkdir(exist_ok=True)
    male, female = 1 - p_female(version), p_female(version)
    text = GRAPH.format(size=image_size, tokens=MAX_TOKENS, features=EMBEDDING_SIZE, male=male, female=female)
    model = onnx.parser.parse_model(text)
    onnx.helper.set_model_props(model, {"prep_digest": prep_digest() if digest is None else digest, **metadata})
    onnx.save(model, file)


def add_preprocessing(repository: Path) -> str:
    """Write preprocess 2, a copy of 1 with one more sentinel nickname; returns its digest.

    While a file `hold` exists beside the repository, its requests wait; the first one that waits writes `held`.
    """
    model = repository / "preprocess"
    shutil.copytree(model / "1", model / "2", ignore=shutil.ignore_patterns("__pycache__"))
    sentinels, execute = "SENTINEL_NICKNAMES: Final = (", "def execute(self, requests: Sequence[Any]) -> list[Any]:\n"
    edit(model / "2" / "genderprep" / "text.py", sentinels, f'{sentinels}"{NEW_SENTINEL}", ')
    edit(model / "2" / "model.py", execute, execute + WAITING.format(folder=repository.parent))
    digest = subprocess.run(
        [sys.executable, "-c", "from genderprep import prep_digest; print(prep_digest())"],
        env={**os.environ, "PYTHONPATH": str(model / "2"), "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    config = model / "config.pbtxt"
    declared = f'parameters {{ key: "prep_digest_2" value {{ string_value: "{digest}" }} }}\n'
    config.write_text(config.read_text() + declared)
    return digest


def edit(file: Path, old: str, new: str) -> None:
    """Replace a text that the file contains."""
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def served(repository: Path, model: str) -> list[int]:
    """The versions that a model's configuration tells Triton to load."""
    return list(Catalog(repository).model(model).config.version_policy.specific.versions)


def tree(folder: Path) -> dict[str, bytes]:
    """The content of every file in a folder, except compiled Python."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file() and "__pycache__" not in file.parts)
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}
