"""From a manifest to batches of arrays, through `genderprep` and nothing else."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from genderprep import InvalidAvatar, InvalidInput, prepare_image, prepare_text
from genderprep.tensors import IMAGE, IMAGE_SIZE, PRESENT, TOKENS
from genderprep.vocabulary import PAD, UNK, vocabulary

from ..gender.config import Augmentation
from .bad_rows import BadRows

_SMOOTH: Final = Image.Resampling.BILINEAR

# Each output of a model and the modality that its loss needs; None = whatever is there.
Heads = dict[str, int | None]
# From inputs by contract name to what a trained model answers, by head.
Teacher = Callable[[dict[str, NDArray[Any]]], dict[str, NDArray[Any]]]
# What training keeps decoded: of avatars 0.8 GB at 128 pixels, of nicknames some 40 MB.
REMEMBERED_AVATARS: Final = 2**14
REMEMBERED_NICKNAMES: Final = 2**16


@dataclass(frozen=True)
class Users:
    """Prepared users: uint8 [N, S, S, 3], int32 [N, 32], bool [N, 2], float [N, 1] (1 = female), float [N]."""

    images: NDArray[np.uint8]
    tokens: NDArray[np.int32]
    present: NDArray[np.bool_]
    female: NDArray[np.float32]
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.female)

    def inputs(self, names: Collection[str]) -> dict[str, NDArray[Any]]:
        """The named inputs of a model, by contract name."""
        every: dict[str, NDArray[Any]] = {IMAGE: self.images, TOKENS: self.tokens, PRESENT: self.present}
        return {name: every[name] for name in names}

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "Users":
        """Only the chosen users: bool [N], or their positions."""
        return Users(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence["Users"]) -> "Users":
        """The users of all parts, one part after the other."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def without_images(self) -> "Users":
        """The same users, uint8 [N, 0, 0, 3] for images: what many users need much less memory as."""
        return replace(self, images=np.zeros((len(self), 0, 0, 3), np.uint8))

    def targets(self, heads: Heads, taught: dict[str, NDArray[Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Targets and weights by head, those of a teacher's answers included.

        A tower's own head learns nothing from users who lack its modality.
        """
        weights = {h: self.weights if m is None else self.weights * self.present[:, m] for h, m in heads.items()}
        return dict.fromkeys(heads, self.female) | taught, weights | dict.fromkeys(taught, self.weights)


class Preparation:
    """From rows of a manifest to arrays; may remember them, so that small manifests are decoded once."""

    def __init__(self, bad: BadRows, size: int | None = IMAGE_SIZE, remember: bool = False) -> None:
        """Avatars at S = `size`; with None nobody has one. Rows that cannot be prepared are added to `bad`."""
        self._bad, self._size = bad, size
        self._pixels = lru_cache(REMEMBERED_AVATARS if remember else 0)(_pixels)
        self._tokens = lru_cache(REMEMBERED_NICKNAMES if remember else 0)(_tokens)

    def __call__(self, table: pd.DataFrame) -> tuple[Users, NDArray[np.bool_]]:
        """Users and which of them can be used, bool [N]; the others show nothing and weigh nothing.

        Raises:
            ManifestError: more rows are bad than may be.
        """
        size = self._size or 0
        images = np.zeros((len(table), size, size, 3), np.uint8)
        # Never all padding: the text tower has no answer to that, and no answer times no weight is not nothing.
        tokens = np.tile(prepare_text(b"")[0], (len(table), 1))
        present, usable = np.zeros((len(table), 2), np.bool_), np.ones(len(table), np.bool_)
        avatars = table["avatar"] if size else [""] * len(table)
        for position, (row, avatar, nickname) in enumerate(zip(table.index, avatars, table["nickname"], strict=True)):
            try:
                if avatar:
                    images[position], present[position, 0] = self._pixels(avatar, size)
                tokens[position], present[position, 1] = self._tokens(nickname)
            except (InvalidInput, OSError) as exc:
                self._bad.add(row, *_reason(exc))
                images[position], present[position], usable[position] = 0, False, False
        female = (table["gender"] == "female").to_numpy(np.float32)[:, None]
        weights = np.where(usable, table["weight"].to_numpy(np.float32), np.float32(0))
        return Users(images, tokens, present, female, weights), usable


def prepare_users(table: pd.DataFrame, size: int = IMAGE_SIZE) -> Users:
    """Prepare every row of a checked manifest, avatars at S = `size`; for what is small.

    Raises:
        ManifestError: a row cannot be prepared; the message names it.
    """
    users, _ = Preparation(BadRows(Path("manifest"), len(table), 0, str), size)(table)
    return users


def augmented(
    users: Users, names: Collection[str], how: Augmentation, dice: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """The named inputs of a model as training sees them."""
    augment: dict[str, Callable[[], NDArray[Any]]] = {
        IMAGE: lambda: augment_images(users.images, how, dice),
        TOKENS: lambda: drop_tokens(users.tokens, how.drop_token, dice),
        PRESENT: lambda: users.present & (dice.random((len(users), 2)) >= how.drop_modality),
    }
    return {name: augment[name]() for name in names}


def augment_images(images: NDArray[np.uint8], how: Augmentation, dice: np.random.Generator) -> NDArray[np.uint8]:
    """Flip, shift (edges repeat), zoom, blur and recolour uint8 [B, S, S, 3], each picture by itself."""
    pad, size = how.shift_pixels, images.shape[1]
    result = np.empty_like(images)
    for index, picture in enumerate(np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="edge")):
        x, y = dice.integers(0, 2 * pad + 1, 2)
        window = picture[y : y + size, x : x + size]
        window = window[:, ::-1] if dice.random() < how.flip else window
        result[index] = _retake(window, how, dice) if how.zoom or how.blur else window
    return _recolour(result, how, dice)


def _retake(picture: NDArray[np.uint8], how: Augmentation, dice: np.random.Generator) -> NDArray[np.uint8]:
    """From closer by, and some of them by way of a small copy."""
    size = len(picture)
    side = size * (1 - dice.uniform(0, how.zoom))
    x, y = dice.uniform(0, size - side, 2)
    small = round(size * dice.uniform(0.25, 0.6)) if dice.random() < how.blur else size
    closer = Image.fromarray(picture).resize((small, small), _SMOOTH, box=(x, y, x + side, y + side))
    return np.array(closer.resize((size, size), _SMOOTH))


def _recolour(images: NDArray[np.uint8], how: Augmentation, dice: np.random.Generator) -> NDArray[np.uint8]:
    """Each channel brighter or darker, all together nearer to grey or farther from it."""
    gain = dice.uniform(1 - how.colour, 1 + how.colour, (len(images), 1, 1, 3)).astype(np.float32)
    coloured = images * gain
    if how.saturation:
        strength = dice.uniform(1 - how.saturation, 1 + how.saturation, (len(images), 1, 1, 1)).astype(np.float32)
        grey = coloured.mean(axis=-1, keepdims=True)
        coloured = grey + strength * (coloured - grey)
    return np.clip(coloured, 0, 255).astype(np.uint8)


def drop_tokens(tokens: NDArray[np.int32], probability: float, dice: np.random.Generator) -> NDArray[np.int32]:
    """Replace some tokens by `<UNK>`, so that no single character decides; padding stays."""
    dropped = (dice.random(tokens.shape) < probability) & (tokens != vocabulary()[PAD])
    return np.where(dropped, np.int32(vocabulary()[UNK]), tokens)


def _pixels(avatar: str | bytes, size: int) -> tuple[NDArray[np.uint8], bool]:
    return prepare_image(Path(avatar).read_bytes() if isinstance(avatar, str) else avatar, size)


def _tokens(nickname: str) -> tuple[NDArray[np.int32], bool]:
    return prepare_text(nickname.encode())


def _reason(exc: InvalidInput | OSError) -> tuple[str, str]:
    """The kind of what is wrong, and the details."""
    if isinstance(exc, OSError):
        return "unreadable avatar", exc.strerror or type(exc).__name__
    return "broken avatar" if isinstance(exc, InvalidAvatar) else "bad nickname", str(exc)
