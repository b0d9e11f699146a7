r"""Draw cards, avatars and renderings with known defects.

    python -m training.synthetic.draw_defects --count 2000 --out runs/defects --sheet out/defects.png

Writes `pictures/*.jpg`, the manifest `defects.csv` with a column per attribute (1, 0, or empty where it does not
apply), and optionally a contact sheet of all attributes and motifs to look at.
"""

import argparse
import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw

from .cards import font
from .defect_drawing import draw, to_jpeg
from .defect_motifs import MOTIFS
from .defects import ATTRIBUTES, P_HARMLESS, Picture, compose, row_of

# Pictures in a row of the contact sheet, and their side.
_COLUMNS: Final = 10
_SIDE: Final = 128


def write_pictures(pictures: Iterable[Picture], out: Path) -> Path:
    """Draw pictures, write them and their manifest; return the manifest."""
    return write_images(((picture, draw(picture)) for picture in pictures), out)


def write_images(pictures: Iterable[tuple[Picture, Image.Image]], out: Path) -> Path:
    """Write pictures with their images and their manifest; return the manifest."""
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    rows = []
    for picture, image in pictures:
        name = f"pictures/{picture.split}_{picture.seed:07}.jpg"
        (out / name).write_bytes(to_jpeg(image, picture))
        rows.append({"picture": name, **row_of(picture)})
    manifest = out / "defects.csv"
    with manifest.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return manifest


def contact_sheet() -> Image.Image:
    """Draw pictures of each attribute, each motif and pictures without defects, one row for each."""
    rows = [*ATTRIBUTES, "none", *MOTIFS]
    sheet = Image.new("RGB", ((_COLUMNS + 1) * _SIDE, len(rows) * _SIDE), "white")
    pen = ImageDraw.Draw(sheet)
    for top, name in enumerate(rows):
        pen.text((6, (top + 0.4) * _SIDE), name, "black", font(14))
        for left, picture in zip(range(1, _COLUMNS + 1), _examples(name), strict=False):
            sheet.paste(draw(picture).resize((_SIDE, _SIDE), Image.Resampling.BOX), (left * _SIDE, top * _SIDE))
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for defects.csv and pictures/")
    parser.add_argument("--count", type=int, default=2000, help="number of pictures of each split")
    parser.add_argument("--first", type=int, default=0, help="seed of the first one")
    parser.add_argument("--splits", nargs="+", default=["train", "validation", "test"], help="the splits to draw")
    parser.add_argument("--unsuitable", type=float, default=0.05, help="share of unsuitable pictures")
    parser.add_argument("--harmless", type=float, default=P_HARMLESS, help="share with a harmless motif like those")
    parser.add_argument("--sheet", type=Path, help="also draw a contact sheet, PNG")
    args = parser.parse_args()
    seeds = range(args.first, args.first + args.count)
    pictures = [compose(seed, split, args.unsuitable, args.harmless) for split in args.splits for seed in seeds]
    print(write_pictures(pictures, args.out))
    if args.sheet:
        args.sheet.parent.mkdir(parents=True, exist_ok=True)
        contact_sheet().save(args.sheet)
        print(args.sheet)


def _examples(name: str) -> Iterator[Picture]:
    """Yield pictures of one attribute, of one motif, or without any if `name` is `none`."""
    for seed in range(100_000):
        picture = compose(seed, p_unsuitable=0.3)
        shown = {picture.motif, *(each for each, value in picture.labels.items() if value == 1)}
        if name in shown or (name == "none" and shown <= {"", "illustration"}):
            yield picture


if __name__ == "__main__":
    main()
