"""`genderprep.digest` notices every change of pixels or tokens, and no other change."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from genderprep import PrepMismatch, check_probes, digest, limits, prep_digest, prepare_text, tensors, text, vocabulary
from genderprep.digest import PROBES
from genderprep.text import Tokens
from genderprep.vocabulary import VOCABULARY_FILE

CHANGES_PIXELS_OR_TOKENS = [
    (tensors, "IMAGE_SIZE"),
    (tensors, "RESIZE_FILTER"),
    (tensors, "MAX_TOKENS"),
    (text, "SENTINEL_NICKNAMES"),
]
CHANGES_NEITHER = [
    (module, name)
    for module in (limits, tensors)
    for name in vars(module)
    if name.isupper() and (module, name) not in CHANGES_PIXELS_OR_TOKENS
]
PICTURES = sorted(file.name for file in PROBES.glob("*.expected.png"))


@pytest.fixture
def probes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the probes, to be changed."""
    copy = tmp_path / "probes"
    shutil.copytree(PROBES, copy)
    monkeypatch.setattr(digest, "PROBES", copy)
    return copy


def shift(file: Path, levels: int) -> None:
    """Brighten every pixel of a stored picture; pixels at the upper end are darkened instead."""
    pixels = np.asarray(Image.open(file)).astype(int)
    Image.fromarray(np.where(pixels + levels > 255, pixels - levels, pixels + levels).astype(np.uint8)).save(file)


def test_digest_is_the_same_in_every_process() -> None:
    run = [sys.executable, "-c", "from genderprep import prep_digest; print(prep_digest())"]
    environment = {"PYTHONPATH": str(VOCABULARY_FILE.parent.parent), "PYTHONHASHSEED": "7"}
    found = subprocess.run(run, capture_output=True, text=True, check=True, env=environment).stdout.strip()
    assert found == prep_digest() == prep_digest()
    assert len(bytes.fromhex(found)) == 32


@pytest.mark.parametrize(("module", "name"), CHANGES_PIXELS_OR_TOKENS)
def test_digest_covers_constant(module: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = prep_digest()
    monkeypatch.setattr(module, name, "something else")
    assert prep_digest() != before


@pytest.mark.parametrize(("module", "name"), CHANGES_NEITHER)
def test_digest_ignores_limits_and_outputs(module: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = prep_digest()
    monkeypatch.setattr(module, name, "something else")
    assert prep_digest() == before


def test_digest_covers_vocabulary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = prep_digest()
    content = json.loads(VOCABULARY_FILE.read_text(encoding="utf-8"))
    content["tokens"][-1], content["tokens"][-2] = content["tokens"][-2:]
    changed = tmp_path / "vocab.json"
    changed.write_text(json.dumps(content, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    monkeypatch.setattr(vocabulary, "VOCABULARY_FILE", changed)
    assert prep_digest() != before


def test_digest_covers_probe_nicknames(probes: Path) -> None:
    before = prep_digest()
    file = probes / "nicknames.json"
    file.write_text(json.dumps([*json.loads(file.read_text(encoding="utf-8")), "王"]), encoding="utf-8")
    assert prep_digest() != before


def test_digest_covers_tokens_of_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_order(nickname: bytes) -> tuple[Tokens, bool]:
        tokens, present = prepare_text(nickname)
        return np.sort(tokens), present

    before = prep_digest()
    monkeypatch.setattr(digest, "prepare_text", without_order)
    assert prep_digest() != before


def test_probes_match_on_this_machine() -> None:
    assert len(PICTURES) >= 8
    check_probes()


@pytest.mark.parametrize("picture", PICTURES)
def test_one_gray_level_is_allowed(picture: str, probes: Path) -> None:
    shift(probes / picture, 1)
    check_probes()


@pytest.mark.parametrize("picture", PICTURES)
def test_two_gray_levels_are_refused(picture: str, probes: Path) -> None:
    shift(probes / picture, 2)
    stem = picture.split(".")[0]
    with pytest.raises(
        PrepMismatch, match=rf"^probe {stem}\.\w+: expected pixels within 1 gray level, got a difference of [23]$"
    ):
        check_probes()
