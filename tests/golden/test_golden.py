"""The probes of `genderprep`, prepared here and by the live model `preprocess`: equal to the bit, and as expected."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from genderprep import prepare_image, prepare_text
from genderprep.digest import PROBES
from genderprep.tensors import MAX_TOKENS
from genderprep.vocabulary import vocabulary
from tests.support.inference import Arrays, Caller, users

PICTURES = sorted(file for file in PROBES.iterdir() if file.suffix != ".json" and ".expected" not in file.name)
LOSSLESS = (".png", ".gif")
NICKNAMES: list[tuple[str, list[str]]] = json.loads(
    Path(__file__).with_name("nicknames.json").read_text(encoding="utf-8")
)


def prepare_here(avatar: bytes, nickname: bytes) -> Arrays:
    (pixels, avatar_present), (tokens, nickname_present) = prepare_image(avatar), prepare_text(nickname)
    present = np.array([[avatar_present, nickname_present]])
    return {"IMAGE": pixels[None], "TOKENS": tokens[None], "PRESENT": present}


def assert_same_bits(found: Arrays, expected: Arrays) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == array.tobytes()


def expected_pixels(picture: Path) -> NDArray[Any]:
    return np.asarray(Image.open(picture.with_name(f"{picture.stem}.expected.png")))


def expected_tokens(words: list[str]) -> list[int]:
    ids = [vocabulary()[word] for word in words]
    return ids + [0] * (MAX_TOKENS - len(ids))


def test_expectations_cover_probes() -> None:
    probes = json.loads((PROBES / "nicknames.json").read_text(encoding="utf-8"))
    assert [nickname for nickname, _ in NICKNAMES] == probes
    assert len(PICTURES) >= 8


@pytest.mark.parametrize("picture", PICTURES, ids=lambda file: file.name)
def test_pixels_in_process(picture: Path) -> None:
    pixels, present = prepare_image(picture.read_bytes())
    # Lossy decoders differ by a gray level between processors.
    allowed = 0 if picture.suffix in LOSSLESS else 1
    assert np.abs(pixels.astype(int) - expected_pixels(picture)).max() <= allowed
    assert present


@pytest.mark.parametrize(("nickname", "words"), NICKNAMES)
def test_tokens_in_process(nickname: str, words: list[str]) -> None:
    tokens, present = prepare_text(nickname.encode())
    assert tokens.tolist() == expected_tokens(words)
    assert present == (words != ["<EMPTY>"])


@pytest.mark.parametrize("picture", PICTURES, ids=lambda file: file.name)
def test_live_pixels_equal_in_process(caller: Caller, picture: Path) -> None:
    avatar = picture.read_bytes()
    assert_same_bits(caller.infer("preprocess", users((avatar, b""))), prepare_here(avatar, b""))


def test_live_tokens_equal_in_process(caller: Caller) -> None:
    found = caller.infer("preprocess", users(*((b"", nickname.encode()) for nickname, _ in NICKNAMES)))
    assert found["TOKENS"].tolist() == [expected_tokens(words) for _, words in NICKNAMES]
    for row, (nickname, _) in enumerate(NICKNAMES):
        one = {name: array[row : row + 1] for name, array in found.items()}
        assert_same_bits(one, prepare_here(b"", nickname.encode()))
