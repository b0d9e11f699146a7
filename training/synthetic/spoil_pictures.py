r"""Spoil photos with the defects that `draw_defects` draws, so that a screener also learns from photos.

    python -m training.synthetic.spoil_pictures --images IMAGES AVATARS --out runs/photos

Reads the photos of the sources of `training.synthetic.pictures`, with their splits, and writes `pictures/*.jpg` and the
manifest `defects.csv` as `draw_defects` does. A photo counts as good until it is spoiled.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Final

import pandas as pd
from PIL import Image, ImageOps

from .cards import SIDE
from .defect_drawing import spoil
from .defect_effects import collage
from .defects import P_HARMLESS, PHOTO, Picture, compose
from .draw_defects import write_images
from .pictures import read_pictures

# Photos of each source and split, and copies of each photo.
_MOST, _COPIES = 1000, 2
# Shares of copies with an unsuitable and with a harmless motif drawn on them.
_UNSUITABLE, _HARMLESS = 0.1, 0.1
# Photos have these kinds; drawn robots and patterns tell no gender either.
_KINDS: Final = ("photo", "neutral")
_DRAWN: Final = ("neutral_dicebear",)
# Photos of things that drawn pictures are unsuitable for, and pictures with lettering or drawings.
_AMBIGUOUS: Final = tuple(
    f"neutral_caltech101/caltech101/{name}"
    for name in (
        *("ant", "crab", "crayfish", "dragonfly", "lobster", "mayfly", "octopus", "scorpion", "tick"),
        *("dollar_bill", "garfield", "snoopy", "stop_sign", "yin_yang"),
    )
)

# Photos with large lettering of their own: covered by text or not, neither answer is wrong.
_LETTERED: Final = ("faces_fairface/fairface/10546",)


def choose_photos(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return the photos of a table of `read_pictures`, at most `most` of each source and split."""
    is_photo = table["kind"].isin(_KINDS) & ~table["source"].isin(_DRAWN) & ~table["identity"].isin(_AMBIGUOUS)
    shuffled = table[is_photo].sample(frac=1, random_state=0)
    return shuffled.groupby(["source", "split"]).head(most).reset_index(drop=True)


def spoil_photos(
    photos: pd.DataFrame, copies: int, p_unsuitable: float, p_harmless: float = P_HARMLESS
) -> Iterator[tuple[Picture, Image.Image]]:
    """Yield copies of all photos, each with its own defects or none.

    Args:
        photos: The columns avatar, split and identity.
        copies: How many of each photo.
        p_unsuitable: The probability of a drawn unsuitable motif.
        p_harmless: That of a harmless one.
    """
    avatars, splits, identities = (photos[name].tolist() for name in ("avatar", "split", "identity"))
    of_split = {split: rows.tolist() for split, rows in photos.groupby("split").groups.items()}
    for seed in range(copies * len(photos)):
        row = seed % len(photos)
        if identities[row] in _LETTERED:
            continue
        picture = compose(seed, splits[row], p_unsuitable, p_harmless)
        picture = replace(picture, base=PHOTO, layout=picture.layout if picture.layout == "collage" else "plain")
        image = _square(avatars[row])
        if picture.layout == "collage":
            rng = picture.rng("collage")
            others = [_square(avatars[rng.choice(of_split[picture.split])]) for _ in range(rng.randint(1, 3))]
            image = collage([image, *others], rng)
        yield picture, spoil(image, picture)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="folders of sources")
    parser.add_argument("--out", type=Path, required=True, help="folder for defects.csv and pictures/")
    args = parser.parse_args()
    try:
        photos = choose_photos(read_pictures(*args.images), _MOST)
    except (FileNotFoundError, ValueError) as exc:
        raise SystemExit(f"spoil_pictures: {exc}") from exc
    print(photos.groupby(["source", "split"]).size().unstack(fill_value=0).to_string())
    print(write_images(spoil_photos(photos, _COPIES, _UNSUITABLE, _HARMLESS), args.out))


def _square(avatar: bytes) -> Image.Image:
    with Image.open(BytesIO(avatar)) as image:
        return ImageOps.fit(image.convert("RGB"), (SIDE, SIDE), Image.Resampling.BICUBIC)


if __name__ == "__main__":
    main()
