"""Real pictures by path: folders of portraits, 3D emoji and landscapes with their label files."""

import csv
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

import regex
from PIL import Image

from genderprep.contract import LABELS

from .avatars import Avatar
from .degrade import degrade
from .strata import certain

_PICTURES: Final = (".jpg", ".jpeg", ".png", ".webp")
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
            yield _avatar(file, f"faker/{gender}/{file.stem}", gender, "faker_portraits")


def _congress(folder: Path) -> Iterator[Avatar]:
    for row in _labels(folder):
        yield _avatar(folder / "images" / row["file"], f"congress/{row['file']}", row["gender"], "us_congress")


def _emoji(folder: Path) -> Iterator[Avatar]:
    for row in _labels(folder):
        file = folder / row["file"]
        gender = row["label"] if row["label"] in LABELS else ""
        # All skin tones and both genders of one design are in one split.
        design = _SKIN_TONE.sub("", file.stem).split("_200d")[0]
        yield _avatar(file, f"emoji/{design}", gender, "fluent_emoji", recolour=True)


def _landscapes(folder: Path) -> Iterator[Avatar]:
    for file in _pictures(folder):
        photo = file.stem.rsplit("_", 1)[0]
        yield _avatar(file, f"landscape/{photo}", "", "landscapes")


def _avatar(file: Path, identity: str, gender: str, source: str, recolour: bool = False) -> Avatar:
    def encode(dice: Random) -> bytes:
        with Image.open(file) as image:
            return degrade(image, dice, recolour)

    return Avatar(identity, gender, encode, source, certain(gender))


def _pictures(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in _PICTURES)


def _labels(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))
