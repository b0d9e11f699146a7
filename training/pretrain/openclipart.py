r"""List the drawings of Debian's package `openclipart-png` as a manifest.

    apt-get install openclipart-png
    python -m training.pretrain.openclipart --folder /usr/share/openclipart/png --out runs/openclipart.csv

The drawings are in the public domain. A drawing's folder is its theme, its file name its title. Drawings whose names
differ in numbers only, such as `star_51pt02step` and `star_63pt08step`, are one `card`: near-duplicates. Other labeled
folders of PNG files are read as well, such as those of `tuxpaint-stamps-default`, which test encoders.
"""

import argparse
import re
import struct
from pathlib import Path

import pandas as pd

from genderprep.image import MAX_COLOR_PIXELS

from ..data.bad_rows import ManifestError


def read_collection(folder: Path) -> pd.DataFrame:
    """Return one row per drawing below `folder`, with the columns picture, theme, title and card.

    Symbolic links are left out, which repeat drawings, and the few drawings with more pixels than a request may send.

    Raises:
        ManifestError: There are no drawings.
    """
    files = sorted(file for file in folder.glob("*/**/*.png") if not file.is_symlink() and _fits(file))
    if not files:
        raise ManifestError(f"{folder}: expected folders of PNG files, got none; install Debian's openclipart-png")
    rows = [(str(file.resolve()), file.relative_to(folder).parts[0], title_of(file), _design(file)) for file in files]
    return pd.DataFrame(rows, columns=["picture", "theme", "title", "card"])


def title_of(file: Path) -> str:
    """Return the words of a file's name, without the number at its end: `red_car-01.png` is `red car`."""
    words = re.sub(r"[\W_]+", " ", file.stem).strip()
    return re.sub(r" \d+$", "", words)


def _fits(file: Path) -> bool:
    """Whether a PNG file has at most `MAX_COLOR_PIXELS`, which its header tells."""
    with file.open("rb") as stream:
        width, height = struct.unpack(">16x2I", stream.read(24))
    return int(width) * int(height) <= MAX_COLOR_PIXELS


def _design(file: Path) -> str:
    return f"{file.parent.name}/{re.sub(r'[0-9]+', '', file.stem)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="folder of labeled folders of PNG files")
    parser.add_argument("--out", type=Path, required=True, help="the manifest, CSV")
    args = parser.parse_args()
    try:
        table = read_collection(args.folder)
    except ManifestError as exc:
        raise SystemExit(f"openclipart: {exc}") from exc
    args.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(args.out, index=False)
    print(f"{args.out}: {len(table)} drawings, {table['theme'].nunique()} themes, {table['card'].nunique()} designs")


if __name__ == "__main__":
    main()
