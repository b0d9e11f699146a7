"""Read pictures and titles from a manifest, through `genderprep`."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genderprep import InvalidAvatar, prep_digest, prepare_image
from genderprep.text import tokenize
from genderprep.vocabulary import EMPTY, vocabulary

from ..arrays import BoolsN, FloatsSS3, ImagesNSS3, ImageSS3, IntsN, TokensNT
from ..data.bad_rows import ManifestError
from ..data.manifest import split_of
from ..data.tables import read_text_columns
from ..engine.kept import kept
from .dual_encoder import TITLE_TOKENS


@dataclass(frozen=True)
class Pictures:
    """Pictures with their titles, in the order of `table`, which keeps all columns of the manifest."""

    pixels: ImagesNSS3
    titles: TokensNT
    table: pd.DataFrame

    def __len__(self) -> int:
        return len(self.table)

    def rows(self, selection: BoolsN | IntsN) -> "Pictures":
        """Select pictures by a mask or by position."""
        return Pictures(self.pixels[selection], self.titles[selection], self.table.iloc[selection])

    def split(self, name: str) -> "Pictures":
        """Select a split: `train`, `validation` or `test`."""
        return self.rows((self.table["split"] == name).to_numpy())


def read_pictures(manifest: Path, size: int) -> Pictures:
    """Read a manifest with the columns `picture` (a path relative to it) and optionally `title`, `card` and `split`.

    Without `split`, a hash of `card`, or else of the picture's path, assigns it, so that a card drawn twice is in one
    split.

    Args:
        manifest: A CSV file, such as that of `training.synthetic.cards`.
        size: S, the side of the pictures in pixels, as `picture_pixels` prepares them.

    Raises:
        ManifestError: A column or a picture is missing or unreadable.
        ValueError: The size does not divide the side that `genderprep` prepares.
    """
    table = read_text_columns(manifest)
    if "picture" not in table:
        raise ManifestError(f"{manifest}: expected a column picture, got {', '.join(table.columns)}")
    if not len(table):
        raise ManifestError(f"{manifest}: expected pictures, got none")
    if "split" not in table:
        table["split"] = table["card" if "card" in table else "picture"].map(split_of)
    pixels = np.stack([_pixels(manifest, row, picture, size) for row, picture in enumerate(table["picture"])])
    titles = [title_tokens(title) for title in table["title"]] if "title" in table else [title_tokens("")] * len(table)
    return Pictures(pixels, np.stack(titles), table)


def cached_pictures(manifest: Path, size: int, folder: Path) -> Pictures:
    """Read a manifest as `read_pictures`, and keep the prepared pictures in `folder` until the manifest changes."""

    def read() -> dict[str, Any]:
        pictures = read_pictures(manifest, size)
        table = {f"table/{name}": pictures.table[name].to_numpy(str) for name in pictures.table}
        return {"pixels": pictures.pixels, "titles": pictures.titles, **table}

    digest = sha256(manifest.read_bytes()).hexdigest()
    file = folder / f"{manifest.parent.name}_{manifest.stem}_{size}.npz"
    arrays = kept(file, f"{manifest.resolve()} {digest} {prep_digest()}", read)
    table = {name.removeprefix("table/"): arrays[name] for name in arrays if name.startswith("table/")}
    return Pictures(arrays["pixels"], arrays["titles"], pd.DataFrame(table, dtype=str))


def title_tokens(title: str) -> TokensNT:
    """Return the token ids of a title, int32 `[TITLE_TOKENS]`, padded with 0; an empty title is `<EMPTY>`."""
    tokens = np.zeros(TITLE_TOKENS, np.int32)
    ids = tokenize(title)[:TITLE_TOKENS] or [vocabulary()[EMPTY]]
    tokens[: len(ids)] = ids
    return tokens


def picture_pixels(encoded: bytes, size: int) -> ImageSS3:
    """Decode a picture as serving does: with `genderprep`, then reduced by `block_means`; uint8 `[size, size, 3]`.

    Raises:
        InvalidAvatar: The bytes are no picture that `genderprep` accepts.
        ValueError: As `block_means`.
    """
    pixels, _ = prepare_image(encoded)
    return np.rint(block_means(pixels, size)).astype(np.uint8)


def block_means(pixels: ImageSS3, size: int) -> FloatsSS3:
    """Average square blocks of a picture: from `[S, S, 3]` to float32 `[size, size, 3]`; of 2 × 2 for half the side.

    Raises:
        ValueError: The size does not divide S.
    """
    side = len(pixels)
    if not 1 <= size <= side or side % size:
        raise ValueError(f"expected a size that divides {side}, got {size}")
    block = side // size
    means: FloatsSS3 = pixels.reshape(size, block, size, block, 3).mean(axis=(1, 3), dtype=np.float32)
    return means


def _pixels(manifest: Path, row: int, picture: str, size: int) -> ImageSS3:
    try:
        return picture_pixels((manifest.parent / picture).read_bytes(), size)
    except (OSError, InvalidAvatar) as exc:
        raise ManifestError(f"{manifest}: row {row}: the picture cannot be read: {type(exc).__name__}") from None
