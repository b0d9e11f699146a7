r"""Collect pictures with titles from several places into one shuffled manifest.

    python -m training.pretrain.collect --manifests runs/cards/cards.csv runs/openclipart.csv \
        --parquet PHOTOS.parquet EMOJI.parquet --out runs/pictures

Writes `pictures.csv` with the columns `COLUMNS`, and the pictures of Parquet files to `pictures/`. A Parquet file has
the columns `avatar` (bytes), `file`, `gender` and `group`, as `training.synthetic.pictures` reads it; pictures of
people, which have a gender, are left out. Titles and themes are the words of the file names, and pictures of one
`group` are in one split.
"""

import argparse
import re
from pathlib import Path
from typing import Final

import pandas as pd

from ..data.bad_rows import ManifestError
from ..data.manifest import split_of
from ..data.tables import read_parquet, read_text_columns
from .openclipart import title_of

COLUMNS: Final = ("picture", "collection", "theme", "style", "title", "card", "split")
_SHUFFLE_SEED: Final = 1


def read_titled(manifest: Path) -> pd.DataFrame:
    """Return the pictures of a manifest with the columns `picture`, `title` and `card`; the result has `COLUMNS`.

    Raises:
        ManifestError: The file cannot be read, or a column is missing.
        FileNotFoundError: It does not exist.
    """
    table = read_text_columns(manifest, "picture", "title", "card")
    table["picture"] = [str((manifest.parent / picture).resolve()) for picture in table["picture"]]
    if "split" not in table:
        table["split"] = table["card"].map(split_of)
    return table.assign(collection=manifest.stem).reindex(columns=list(COLUMNS), fill_value="")


def unpack_titled(parquet: Path, folder: Path) -> pd.DataFrame:
    """Write the pictures of a Parquet file that show no person to `folder`; the result has `COLUMNS`.

    Raises:
        ManifestError: The file cannot be read, or a column is missing.
    """
    table = read_parquet(parquet, "avatar", "file", "gender", "group")
    table = table[table["gender"].fillna("") == ""]
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, (avatar, file, group) in enumerate(zip(table["avatar"], table["file"], table["group"], strict=True)):
        picture, title = folder / f"{number:06d}{Path(file).suffix}", subject_of(file)
        picture.write_bytes(avatar)
        card, split = f"{parquet.stem}/{number}", split_of(f"{parquet.stem}/{group}")
        rows.append((str(picture.resolve()), parquet.stem, title, "", title, card, split))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def subject_of(file: str) -> str:
    """Return the title of a file name without numbers and the set's name: `set__sea_horse_0042.jpg` is `sea horse`."""
    words = title_of(Path(Path(file).name.rpartition("__")[2])).split()
    return " ".join(word for word in words if len(word) > 1 and not re.search(r"\d", word))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifests", type=Path, nargs="+", required=True, help="CSV files: picture, title, card")
    parser.add_argument("--parquet", type=Path, nargs="*", default=[], help="files of pictures")
    parser.add_argument("--out", type=Path, required=True, help="folder for pictures.csv and pictures/")
    args = parser.parse_args()
    try:
        tables = [read_titled(manifest) for manifest in args.manifests]
        tables += [unpack_titled(file, args.out / "pictures" / file.stem) for file in args.parquet]
    except (ManifestError, FileNotFoundError) as exc:
        raise SystemExit(f"collect: {exc}") from exc
    table = pd.concat(tables).sample(frac=1, random_state=_SHUFFLE_SEED)
    args.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(args.out / "pictures.csv", index=False)
    print(table.groupby(["collection", "split"]).size().unstack(fill_value=0).to_string())


if __name__ == "__main__":
    main()
