"""Your own sample users: a folder of images and `nicknames.csv`."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from training.synthetic.sample_users import SampleUser

COLUMNS: Final = {"file", "nickname"}
IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")


class SamplesError(ValueError):
    """The folder of samples cannot be used. The message names the file and what was expected."""


def read_samples(folder: Path) -> list[SampleUser]:
    """Read the rows of `nicknames.csv`. An empty `file` or `nickname` is missing.

    If there is no table, each image is a user without a nickname.

    Raises:
        SamplesError: the folder has no users, or a row names an image that does not exist.
        OSError: a file cannot be read.
    """
    if not folder.is_dir():
        raise SamplesError(f"{folder} is not a folder; expected a folder of images and nicknames.csv (file,nickname)")
    table = folder / "nicknames.csv"
    try:
        samples = list(_read_table(table)) if table.is_file() else [_user(None, image) for image in _images(folder)]
    except UnicodeDecodeError:
        raise SamplesError(f"{table}: expected UTF-8; save it as CSV UTF-8") from None
    except csv.Error as exc:
        raise SamplesError(f"{table}: {exc}; check its quotes") from None
    if not samples:
        raise SamplesError(f"{folder} has neither images ({', '.join(IMAGE_SUFFIXES)}) nor rows in nicknames.csv")
    return samples


def _read_table(table: Path) -> Iterator[SampleUser]:
    with table.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        if not set(reader.fieldnames or ()) >= COLUMNS:
            missing = ", ".join(sorted(COLUMNS - set(reader.fieldnames or ())))
            raise SamplesError(f"{table}: expected file,nickname as its first line; missing: {missing}")
        for number, row in enumerate(reader, start=2):
            image = table.parent / row["file"] if row["file"] else None
            if image and not image.is_file():
                raise SamplesError(f"{table}, line {number}: no image {row['file']!r} beside the table")
            yield _user(row["nickname"] or None, image) if image else SampleUser(row["nickname"] or None, None)


def _user(nickname: str | None, image: Path) -> SampleUser:
    # A name that is not UTF-8 could not be printed.
    return SampleUser(nickname, image.read_bytes(), os.fsencode(image.name).decode(errors="replace"))


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
