"""Read real images: folders of portraits, 3D emoji and landscapes, with their label files."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

import pandas as pd
import regex
from PIL import Image, ImageOps

from genderprep.tensors import LABELS

from .avatars import Avatar
from .degrade import degrade
from .strata import certain_evidence

_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp")
# From an image to the bytes of a degraded copy.
Degrade = Callable[[Image.Image, Random], bytes]

_SKIN_TONE: Final = regex.compile("_1f3f[b-f]")


def read_folders(images: Path) -> list[Avatar]:
    """Read the folders `faker_portraits`, `us_congress`, `fluent_emoji` and `landscapes` that exist below `images`.

    Raises:
        FileNotFoundError: None of the folders exists.
    """
    readers = {"faker_portraits": _faker, "us_congress": _congress, "fluent_emoji": _emoji, "landscapes": _landscapes}
    present = [name for name in readers if (images / name).is_dir()]
    if not present:
        raise FileNotFoundError(f"{images}: expected at least one of the folders {', '.join(readers)}")
    return [avatar for name in present for avatar in readers[name](images / name)]


def _faker(folder: Path) -> Iterator[Avatar]:
    for gender in LABELS:
        for file in _images(folder / gender):
            yield _avatar(file, f"faker/{gender}/{file.stem}", gender, "faker_portraits", _degrade_portrait)


def _congress(folder: Path) -> Iterator[Avatar]:
    for row in _labels(folder):
        file = folder / "images" / row["file"]
        yield _avatar(file, f"congress/{file.name}", row["gender"], "us_congress", _degrade_portrait)


def _emoji(folder: Path) -> Iterator[Avatar]:
    for row in _labels(folder):
        file = folder / row["file"]
        gender = row["label"] if row["label"] in LABELS else ""
        # Keep all skin tones and both genders of a design in one split.
        design = _SKIN_TONE.sub("", file.stem).split("_200d")[0]
        yield _avatar(file, f"emoji/{design}", gender, "fluent_emoji", partial(degrade, turn_hue=True))


def _landscapes(folder: Path) -> Iterator[Avatar]:
    for file in _images(folder):
        photo = file.stem.rsplit("_", 1)[0]
        yield _avatar(file, f"landscape/{photo}", "", "landscapes")


def _avatar(file: Path, identity: str, gender: str, source: str, degrade_image: Degrade = degrade) -> Avatar:
    def encode(rng: Random) -> bytes:
        with Image.open(file) as image:
            return degrade_image(image, rng)

    return Avatar(identity, gender, encode, source, certain_evidence(gender))


def _degrade_portrait(portrait: Image.Image, rng: Random) -> bytes:
    """Crop at random between head and shoulders and the face, which is slightly above the center."""
    square = ImageOps.fit(portrait, (min(portrait.size),) * 2, centering=(0.5, 0.3))
    side = round(square.width * rng.uniform(0.45, 1.0))
    x, y = (round((square.width - side) * rng.uniform(*where)) for where in ((0.35, 0.65), (0.2, 0.5)))
    return degrade(square.crop((x, y, x + side, y + side)), rng)


def _images(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if f.suffix.lower() in _SUFFIXES and not f.name.startswith("."))


def _labels(folder: Path) -> list[dict[Any, str]]:
    return pd.read_csv(folder / "labels.csv", dtype=str, keep_default_na=False).to_dict("records")
