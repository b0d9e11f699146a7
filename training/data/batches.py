"""Convert manifest rows to arrays with `genderprep`, the only preprocessing."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from genderprep import InvalidAvatar, InvalidInput, prepare_image, prepare_text
from genderprep.tensors import IMAGE, IMAGE_SIZE, PRESENT, TOKENS

from ..arrays import Arrays, BoolsN, BoolsN2, FloatsN, FloatsN1, ImagesNSS3, IntsN, TokensNT
from .bad_rows import BadRows

# Each output of a model, and the modality (0 avatar, 1 nickname) that its loss needs; None needs neither.
Heads = dict[str, int | None]
# A model's outputs by head for its inputs by name.
Predict = Callable[[Arrays], Arrays]
# Decoded inputs that training keeps: 0.8 GB of avatars at 128 pixels, 40 MB of nicknames.
CACHED_AVATARS: Final = 2**14
CACHED_NICKNAMES: Final = 2**16


@dataclass(frozen=True)
class Users:
    """Preprocessed users with their labels and sample weights.

    `present` holds one column for each modality: avatar, nickname. `female` is the label, 1 for female; `p_female` is
    the target of training, the soft label where there is one.
    """

    images: ImagesNSS3
    tokens: TokensNT
    present: BoolsN2
    female: FloatsN1
    p_female: FloatsN1
    weights: FloatsN

    def __len__(self) -> int:
        return len(self.female)

    def inputs(self, names: Collection[str]) -> Arrays:
        """Return the named inputs of a model."""
        by_name: Arrays = {IMAGE: self.images, TOKENS: self.tokens, PRESENT: self.present}
        return {name: by_name[name] for name in names}

    def rows(self, selection: BoolsN | IntsN) -> "Users":
        """Select users by a mask or by position."""
        return Users(*(getattr(self, field.name)[selection] for field in fields(self)))

    @classmethod
    def concatenate(cls, parts: Sequence["Users"]) -> "Users":
        """Join users in order."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def without_images(self) -> "Users":
        """Return the same users with images of size 0, to save memory."""
        return replace(self, images=np.zeros((len(self), 0, 0, 3), np.uint8))

    def targets(self, heads: Heads, teacher_outputs: Arrays) -> tuple[Arrays, Arrays]:
        """Return targets and sample weights by head, including the heads that a teacher supervises.

        The head of one tower has weight 0 for users who lack its modality.
        """
        weights = {h: self.weights if m is None else self.weights * self.present[:, m] for h, m in heads.items()}
        return (
            dict.fromkeys(heads, self.p_female) | teacher_outputs,
            weights | dict.fromkeys(teacher_outputs, self.weights),
        )


class Preparation:
    """Converts manifest rows to `Users` and records the rows that cannot be converted."""

    def __init__(self, bad_rows: BadRows, size: int | None = IMAGE_SIZE, cache: bool = False) -> None:
        """Convert images to S = `size` pixels; None skips all avatars. `cache` keeps inputs for later passes."""
        self._bad_rows, self._size = bad_rows, size
        self._pixels = lru_cache(CACHED_AVATARS if cache else 0)(_pixels)
        self._tokens = lru_cache(CACHED_NICKNAMES if cache else 0)(_tokens)

    def __call__(self, table: pd.DataFrame) -> tuple[Users, BoolsN]:
        """Convert rows; return the users and a mask of those that are usable.

        A row that fails keeps its place, with no modality present and weight 0.

        Raises:
            ManifestError: Too many rows are bad.
        """
        size = self._size or 0
        images = np.zeros((len(table), size, size, 3), np.uint8)
        # Start from the tokens of an empty nickname. An all-padding row gives NaN, and NaN × 0 is NaN.
        tokens = np.tile(prepare_text(b"")[0], (len(table), 1))
        present, usable = np.zeros((len(table), 2), np.bool_), np.ones(len(table), np.bool_)
        avatars = table["avatar"] if size else [""] * len(table)
        for position, (row, avatar, nickname) in enumerate(zip(table.index, avatars, table["nickname"], strict=True)):
            failure = None
            try:
                if avatar:
                    images[position], present[position, 0] = self._pixels(avatar, size)
                tokens[position], present[position, 1] = self._tokens(nickname)
            except (ValueError, OSError) as exc:
                failure = _reason(exc)
            # Recorded here, a ManifestError has no context: a traceback would print the path of the avatar.
            if failure:
                self._bad_rows.add(row, *failure)
                images[position], present[position], usable[position] = 0, False, False
        female = (table["gender"] == "female").to_numpy(np.float32)[:, None]
        p_female = table["p_female"].to_numpy(np.float32)[:, None]
        weights = np.where(usable, table["weight"].to_numpy(np.float32), np.float32(0))
        return Users(images, tokens, present, female, p_female, weights), usable


def prepare_users(table: pd.DataFrame, size: int = IMAGE_SIZE) -> Users:
    """Convert all rows of a small table, with images of S = `size` pixels.

    Raises:
        ManifestError: A row cannot be converted.
    """
    users, _ = Preparation(BadRows(Path("manifest"), len(table), 0, str), size)(table)
    return users


def _pixels(avatar: str | bytes, size: int) -> tuple[ImagesNSS3, bool]:
    return prepare_image(Path(avatar).read_bytes() if isinstance(avatar, str) else avatar, size)


def _tokens(nickname: str) -> tuple[TokensNT, bool]:
    return prepare_text(nickname.encode())


def _reason(exc: ValueError | OSError) -> tuple[str, str]:
    """Return the category of an error and its details, without the row's content."""
    if isinstance(exc, InvalidInput):
        return "broken avatar" if isinstance(exc, InvalidAvatar) else "bad nickname", str(exc)
    # A path with a null character raises ValueError.
    return "unreadable avatar", (exc.strerror if isinstance(exc, OSError) else "not a path") or type(exc).__name__
