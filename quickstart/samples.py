"""The users that `make run` predicts: drawn here, or a person's own pictures."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image

from training.synthetic.drawing import draw_default_avatar, draw_portrait, draw_scene

# As small and as lossy as platforms hand them out.
AVATAR_PIXELS: Final = 132
JPEG_QUALITY: Final = 80


@dataclass(frozen=True)
class Sample:
    """What is known of one user; `None` is missing."""

    nickname: str | None
    avatar: bytes | None


class SamplesError(ValueError):
    """The folder of samples cannot be used; the message names the file and what was expected."""


def drawn_samples() -> list[Sample]:
    """Users of every kind: both tell, only one tells, they conflict, neither tells, something is missing."""
    return [
        Sample("浩然", _jpeg(draw_portrait("male", 5_000_104))),
        Sample("小美🌸", _jpeg(draw_portrait("female", 5_000_001))),
        Sample("Kevin_1988", _jpeg(draw_portrait("male", 5_000_105))),
        Sample("Vivian♥", _jpeg(draw_portrait("female", 5_000_004))),
        Sample("X国强", _jpeg(draw_scene(5_000_200))),
        Sample("诗涵", _jpeg(draw_scene(5_000_203))),
        Sample("AAA建材王哥", _jpeg(draw_scene(5_000_204))),
        Sample("ゞ丶婷婷灬", _jpeg(draw_scene(5_000_201))),
        Sample("随缘", _jpeg(draw_portrait("female", 5_000_007))),
        Sample("一路向北", _jpeg(draw_portrait("male", 5_000_102))),
        Sample("青春永驻", _jpeg(draw_scene(5_000_205))),
        Sample("🌹💄🎀", None),
        Sample("兄弟⚽", None),
        Sample(None, _jpeg(draw_portrait("female", 5_000_003))),
        Sample("微信用户", _jpeg(draw_default_avatar())),
        Sample(None, None),
    ]


def read_samples(folder: Path) -> list[Sample]:
    """A person's own users: pictures and `nicknames.csv` with the columns `file,nickname`.

    An empty `file` or `nickname` is missing; without the table every picture is a user without nickname.

    Raises:
        SamplesError: no such folder, no pictures in it, or a row that names none of them.
    """
    if not folder.is_dir():
        raise SamplesError(f"{folder} is not a folder; give one with pictures and a nicknames.csv (file,nickname)")
    table = folder / "nicknames.csv"
    samples = list(_listed(table)) if table.is_file() else [Sample(None, p.read_bytes()) for p in _pictures(folder)]
    if not samples:
        raise SamplesError(f"{folder} has neither pictures nor rows in nicknames.csv")
    return samples


def _listed(table: Path) -> Iterator[Sample]:
    with table.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle)
        if not {"file", "nickname"} <= set(reader.fieldnames or ()):
            raise SamplesError(f"{table}: the columns are {reader.fieldnames}, expected file,nickname")
        for line, row in enumerate(reader, start=2):
            picture = table.parent / row["file"] if row["file"] else None
            if picture and not picture.is_file():
                raise SamplesError(f"{table}, line {line}: no picture {row['file']!r} beside it")
            yield Sample(row["nickname"] or None, picture.read_bytes() if picture else None)


def _pictures(folder: Path) -> list[Path]:
    kinds = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"}
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in kinds)


def _jpeg(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.resize((AVATAR_PIXELS, AVATAR_PIXELS), Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
