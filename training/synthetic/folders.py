"""Real pictures as avatars of synthetic users."""

from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Final

from PIL import Image, ImageOps

from .avatars import Avatar
from .degrade import degrade
from .pictures import read_pictures
from .strata import certain_evidence

# Portraits that show head and shoulders.
_PORTRAITS: Final = ("faker_portraits", "us_congress")


def read_folders(*folders: Path) -> list[Avatar]:
    """Read the pictures of all sources below some folders; see `read_pictures`.

    Raises:
        FileNotFoundError: A folder has no source.
        ValueError: A column of a source is missing.
    """
    return [
        Avatar(
            row["identity"],
            row["gender"],
            partial(_encode, row["avatar"], _degradation(row["source"], row["kind"])),
            row["source"],
            certain_evidence(row["gender"]),
            row["split"],
        )
        for row in read_pictures(*folders).to_dict("records")
    ]


def _degradation(source: str, kind: str) -> Callable[[Image.Image, Random], bytes]:
    return _degrade_portrait if source in _PORTRAITS else partial(degrade, turn_hue=kind == "emoji")


def _encode(avatar: bytes, degrade_image: Callable[[Image.Image, Random], bytes], rng: Random) -> bytes:
    with Image.open(BytesIO(avatar)) as image:
        return degrade_image(image, rng)


def _degrade_portrait(portrait: Image.Image, rng: Random) -> bytes:
    """Crop at random between head and shoulders and the face, which is slightly above the center."""
    square = ImageOps.fit(portrait, (min(portrait.size),) * 2, centering=(0.5, 0.3))
    side = round(square.width * rng.uniform(0.45, 1.0))
    x, y = (round((square.width - side) * rng.uniform(*where)) for where in ((0.35, 0.65), (0.2, 0.5)))
    return degrade(square.crop((x, y, x + side, y + side)), rng)
