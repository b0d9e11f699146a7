"""The pictures of a gallery: from a manifest, or cards drawn from their seeds."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from math import inf
from pathlib import Path

from training.data.bad_rows import ManifestError
from training.synthetic.cards import compose_card, draw_card


@dataclass(frozen=True)
class Picture:
    """A picture to publish.

    Args:
        id: What clients call it; None if the publisher chooses.
        encoded: The bytes of its file; empty if it cannot be read.
        likes: How often it was liked.
        shows: How often it was shown.
        file: Where a manifest says that it is.
    """

    encoded: bytes
    title: str = ""
    id: int | None = None
    likes: float = 0.0
    shows: float = 0.0
    file: str = field(default="", compare=False)


def drawn_cards(first_seed: int, count: int) -> Iterator[Picture]:
    """Draw cards of the seeds from `first_seed` on, as PNG."""
    for seed in range(first_seed, first_seed + count):
        card, file = compose_card(seed), BytesIO()
        draw_card(card).save(file, "PNG")
        yield Picture(file.getvalue(), card.title)


def listed_pictures(manifest: Path) -> Iterator[Picture]:
    """Read the pictures of a CSV file with the column `picture` (a path relative to it) and optionally `title`, `id`,
    `likes` and `shows`.

    Raises:
        ManifestError: The file cannot be read or lacks the column `picture`, a number is none, or an id is repeated.
    """
    try:
        with manifest.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise ManifestError(f"{manifest} cannot be read: {exc}") from exc
    if not rows or "picture" not in rows[0]:
        found = f"{len(rows[0])} other columns" if rows else "no rows"
        raise ManifestError(f"{manifest}: expected rows with the column picture, got {found}")
    ids = set[int]()
    for number, row in enumerate(rows):
        if None in row:
            raise ManifestError(
                f"{manifest}: row {number}: expected as many values as columns; quote those with commas"
            )
        try:
            own = int(row["id"]) if row.get("id") else None
            likes, shows = (float(row.get(name) or 0) for name in ("likes", "shows"))
        except ValueError:
            raise ManifestError(f"{manifest}: row {number}: expected numbers in id, likes and shows") from None
        if own is not None and (own in ids or not 0 < own < 2**63):
            raise ManifestError(f"{manifest}: row {number}: expected an id from 1 to 2^63 - 1 that no other row has")
        if not 0 <= likes <= shows < inf:
            raise ManifestError(f"{manifest}: row {number}: expected at most as many likes as shows, and none below 0")
        if own is not None:
            ids.add(own)
        name = row["picture"] or ""
        yield Picture(_read(manifest.parent / name), row.get("title") or "", own, likes, shows, name)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
