"""Real pictures by path: folders of portraits, 3D emoji and landscapes with their label files."""

import csv
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

import regex
from PIL import Image, ImageOps

from genderprep.tensors import LABELS

from .avatars import Avatar
from .degrade import degrade
from .strata import certain

_PICTURES: Final = (".jpg", ".jpeg", ".png", ".webp")
# From a picture to the bytes of an avatar of it.
Develop = Callable[[Image.Image, Random], bytes]

_SKIN_TONE: Final = regex.compile("_1f3f[b-f]")


def read_folders(images: Path) -> list[Avatar]:
    """All avatars below `images`, the kinds that are there: `faker_portraits`, `us_congress`,
    `fluent_emoji`, `landscapes`.

    Raises:
        FileNotFoundError: none of the kinds is there.
    """
    readers = {"faker_portraits": _faker, "us_congress": _congress, "fluent_emoji": _emoji, "landscapes": _landscapes}
    present = [name for name in readers if (images / name).is_dir()]
    if not present:
        raise FileNotFoundError(f"{images}: none of the folders {', '.join(readers)} is there")
    return [avatar for name in present for avatar in readers[name](images / name)]


def _faker(folder: Path) -> Iterator[Avatar]:
    for gender in LABELS:
        for file in _pictures(folder / gender):
            yield _avatar(file, f"faker/{gender}/{file.stem}", gender, "faker_portraits", _degrade_portrait)


def _congress(folder: Path) -> Iterator[Avatar]:
    for row in _labels(folder):
        file = folder / "images" / row["file"]
        yield _avatar(file, f"congress/{file.name}", row["gender"], "us_congress", _degrade_portrait)


def _emoji(folder: Path) -> Iterator[Avatar]:
    for row in _labels(folder):
        file = folder / row["file"]
        gender = row["label"] if row["label"] in LABELS else ""
        # All skin tones and both genders of one design are in one split.
        design = _SKIN_TONE.sub("", file.stem).split("_200d")[0]
        yield _avatar(file, f"emoji/{design}", gender, "fluent_emoji", partial(degrade, recolour=True))


def _landscapes(folder: Path) -> Iterator[Avatar]:
    for file in _pictures(folder):
        photo = file.stem.rsplit("_", 1)[0]
        yield _avatar(file, f"landscape/{photo}", "", "landscapes")


def _avatar(file: Path, identity: str, gender: str, source: str, develop: Develop = degrade) -> Avatar:
    def encode(dice: Random) -> bytes:
        with Image.open(file) as image:
            return develop(image, dice)

    return Avatar(identity, gender, encode, source, certain(gender))


def _degrade_portrait(portrait: Image.Image, dice: Random) -> bytes:
    """From head and shoulders, as it is, to the face alone, which is a little above the middle."""
    square = ImageOps.fit(portrait, (min(portrait.size),) * 2, centering=(0.5, 0.3))
    side = round(square.width * dice.uniform(0.45, 1.0))
    x, y = (round((square.width - side) * dice.uniform(*where)) for where in ((0.35, 0.65), (0.2, 0.5)))
    return degrade(square.crop((x, y, x + side, y + side)), dice)


def _pictures(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in _PICTURES)


def _labels(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))
