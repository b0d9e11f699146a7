"""`genderprep.digest`: what binds weights to preprocessing notices every change and no other."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genderprep import PrepMismatch, check_probes, contract, digest, prep_digest, prepare_text
from genderprep.digest import PROBES
from genderprep.text import VOCABULARY_FILE, Tokens

CONSTANTS = sorted(name for name in vars(contract) if name.isupper())
PICTURES = sorted(file.name for file in PROBES.glob("*.expected.png"))


@pytest.fixture
def probes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the probes that may be changed."""
    copy = tmp_path / "probes"
    shutil.copytree(PROBES, copy)
    monkeypatch.setattr(digest, "PROBES", copy)
    return copy


def shift(file: Path, levels: int) -> None:
    """Make every pixel of a stored picture brighter; what is too bright already becomes darker."""
    pixels = np.asarray(Image.open(file)).astype(int)
    Image.fromarray(np.where(pixels + levels > 255, pixels - levels, pixels + levels).astype(np.uint8)).save(file)


def test_digest_is_the_same_in_every_process() -> None:
    run = [sys.executable, "-c", "from genderprep import prep_digest; print(prep_digest())"]
    environment = {"PYTHONPATH": str(VOCABULARY_FILE.parent.parent), "PYTHONHASHSEED": "7"}
    found = subprocess.run(run, capture_output=True, text=True, check=True, env=environment).stdout.strip()
    assert found == prep_digest() == prep_digest()
    assert len(bytes.fromhex(found)) == 32


@pytest.mark.parametrize("name", CONSTANTS)
def test_every_constant_of_the_contract_counts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = prep_digest()
    monkeypatch.setattr(contract, name, "something else")
    assert prep_digest() != before


def test_vocabulary_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = prep_digest()
    content = json.loads(VOCABULARY_FILE.read_text(encoding="utf-8"))
    content["tokens"][-1], content["tokens"][-2] = content["tokens"][-2:]
    changed = tmp_path / "vocab.json"
    changed.write_text(json.dumps(content, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    monkeypatch.setattr(digest, "VOCABULARY_FILE", changed)
    assert prep_digest() != before


def test_probe_nicknames_count(probes: Path) -> None:
    before = prep_digest()
    file = probes / "nicknames.json"
    file.write_text(json.dumps([*json.loads(file.read_text(encoding="utf-8")), "王"]), encoding="utf-8")
    assert prep_digest() != before


def test_tokens_of_the_probe_nicknames_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_order(nickname: bytes) -> tuple[Tokens, bool]:
        tokens, present = prepare_text(nickname)
        return np.sort(tokens), present

    before = prep_digest()
    monkeypatch.setattr(digest, "prepare_text", without_order)
    assert prep_digest() != before


def test_probes_of_this_machine() -> None:
    assert len(PICTURES) >= 8
    check_probes()


@pytest.mark.parametrize("picture", PICTURES)
def test_one_grey_level_is_allowed(picture: str, probes: Path) -> None:
    shift(probes / picture, 1)
    check_probes()


@pytest.mark.parametrize("picture", PICTURES)
def test_two_grey_levels_are_refused(picture: str, probes: Path) -> None:
    shift(probes / picture, 2)
    stem = picture.split(".")[0]
    with pytest.raises(PrepMismatch, match=rf"^probe {stem}\.\w+: pixels differ by [23] grey levels, 1 is allowed$"):
        check_probes()
