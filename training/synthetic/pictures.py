"""Read real pictures of all sources into one table, in which each person, design, style or photo is in one split.

Below a folder of sources:

- `faker_portraits`, `us_congress`, `fluent_emoji`, `landscapes`: folders of images, with their label files
- `*.parquet`, one file a source: the columns `avatar` (bytes), `file`, `gender`, `group`, `kind`, `licence`, `origin`
  and `age`
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pandas as pd

from genderprep.tensors import LABELS

from ..data.manifest import split_of
from .emoji_designs import design_of

# `gender` is empty for a picture that tells nothing. `identity` is who or what it shows, such as a person or a design.
COLUMNS: Final = ("avatar", "gender", "source", "identity", "kind", "licence", "origin", "age", "split")
# Sources whose pictures are in no split but test. Weights that were tuned on avatars before saw nine tenths of them, so
# only the last tenth is tested, which those weights chose by `split_of` too.
UNSEEN: Final = ("faces_uk_parliament", "faces_us_congress_new")
# So few heads of hair that a test would show what training saw.
TRAIN_ONLY: Final = ("render_makehuman",)

_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp")
_GROUPED: Final = ("avatar", "gender", "group", "kind", "licence", "origin", "age")
# A source whose drawings share a style, the part of `group` before the slash.
_STYLES: Final = ("cartoon_dicebear", "neutral_dicebear")
# An emoji set with designs of its own.
_OWN_DESIGNS: Final = "streamline-emojis"

Row = dict[str, Any]


def read_pictures(*folders: Path) -> pd.DataFrame:
    """Read the sources below some folders, but for the pictures of no split; the result has `COLUMNS`.

    A file under two names counts once, so that it cannot be in two splits.

    Raises:
        FileNotFoundError: A folder has no source.
        ValueError: A column of a source is missing.
    """
    rows = [row for folder in folders for row in _sources(folder)]
    table = pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "split"])
    table = table.fillna("").assign(split=table["identity"].map(picture_split))
    return table[table["split"] != ""].drop_duplicates("avatar", ignore_index=True)


def picture_split(identity: str) -> str:
    """Return the split of an identity; empty if neither training nor tests may use it."""
    source, split = identity.partition("/")[0], split_of(identity)
    if source in TRAIN_ONLY:
        return "train"
    return "" if source in UNSEEN and split != "test" else split


def _sources(folder: Path) -> Iterator[Row]:
    present = [name for name in _FOLDERS if (folder / name).is_dir()]
    files = sorted(file for file in folder.glob("*.parquet") if not file.name.startswith("."))
    if not present and not files:
        raise FileNotFoundError(f"{folder}: expected .parquet files or the folders {', '.join(_FOLDERS)}")
    for name in present:
        for row in _FOLDERS[name](folder / name):
            yield {"source": name, "avatar": row.pop("file").read_bytes(), **row}
    for file in files:
        yield from _parquet(file)


def _parquet(file: Path) -> Iterator[Row]:
    table = pd.read_parquet(file)
    if missing := [column for column in _GROUPED if column not in table]:
        raise ValueError(f"{file}: expected the columns {', '.join(_GROUPED)}, missing {', '.join(missing)}")
    table["identity"] = [_identity(file.stem, group) for group in table["group"]]
    for row in table[["identity", *_GROUPED]].to_dict("records"):
        yield {"source": file.stem, **{str(name): value for name, value in row.items()}}


def _identity(source: str, group: str) -> str:
    style, _, name = group.partition("/")
    if source == "emoji":
        return f"emoji/{style}" if style == _OWN_DESIGNS else f"emoji/{design_of(name)}"
    return f"{source}/{style if source in _STYLES else group}"


def _faker(folder: Path) -> Iterator[Row]:
    for gender in LABELS:
        for file in _images(folder / gender):
            yield {"file": file, "identity": f"faker/{gender}/{file.stem}", "gender": gender, "kind": "photo"}


def _congress(folder: Path) -> Iterator[Row]:
    for row in _labels(folder):
        # Some people sat in both chambers: us-house__first-last.jpg, us-senate__first-last.jpg.
        person = Path(row["file"]).stem.partition("__")[2]
        file = folder / "images" / row["file"]
        yield {"file": file, "identity": f"congress/{person}", "gender": row["gender"], "kind": "photo"}


def _emoji(folder: Path) -> Iterator[Row]:
    for row in _labels(folder):
        file = folder / row["file"]
        gender = row["label"] if row["label"] in LABELS else ""
        yield {"file": file, "identity": f"emoji/{design_of(file.stem)}", "gender": gender, "kind": "emoji"}


def _landscapes(folder: Path) -> Iterator[Row]:
    for file in _images(folder):
        yield {"file": file, "identity": f"landscape/{file.stem.rsplit('_', 1)[0]}", "gender": "", "kind": "neutral"}


def _images(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if f.suffix.lower() in _SUFFIXES and not f.name.startswith("."))


def _labels(folder: Path) -> list[dict[Any, str]]:
    return pd.read_csv(folder / "labels.csv", dtype=str, keep_default_na=False).to_dict("records")


_FOLDERS: Final[dict[str, Callable[[Path], Iterator[Row]]]] = {
    "faker_portraits": _faker,
    "us_congress": _congress,
    "fluent_emoji": _emoji,
    "landscapes": _landscapes,
}
