"""From a manifest to batches of arrays, through `genderprep` and nothing else."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from genderprep import InvalidInput, prepare_image, prepare_text
from genderprep.contract import IMAGE, IMAGE_SIZE, PAD, PRESENT, TOKENS, UNK
from genderprep.text import vocabulary

from ..config import LIGHT, Augmentation
from .manifest import ManifestError

_SMOOTH: Final = Image.Resampling.BILINEAR

# Each output of a model and the modality that its loss needs; None = whatever is there.
Heads = dict[str, int | None]
# From inputs by contract name to what a trained model answers, by head.
Teacher = Callable[[dict[str, NDArray[Any]]], dict[str, NDArray[Any]]]


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

    def targets(self, heads: Heads, taught: dict[str, NDArray[Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Targets and weights by head, those of a teacher's answers included.

        A tower's own head learns nothing from users who lack its modality.
        """
        weights = {h: self.weights if m is None else self.weights * self.present[:, m] for h, m in heads.items()}
        return dict.fromkeys(heads, self.female) | taught, weights | dict.fromkeys(taught, self.weights)


def prepare_users(table: pd.DataFrame, size: int = IMAGE_SIZE) -> Users:
    """Prepare every row of a checked manifest, avatars at S = `size`.

    Raises:
        ManifestError: an avatar cannot be read or decoded; the message names row and file.
    """
    images = np.zeros((len(table), size, size, 3), np.uint8)
    tokens = np.zeros((len(table), *prepare_text(b"")[0].shape), np.int32)
    present = np.zeros((len(table), 2), np.bool_)
    rows = zip(table.index, table["avatar"], table["nickname"], strict=True)
    for position, (row, avatar, nickname) in enumerate(tqdm(rows, "prepare", len(table), unit="user", mininterval=1)):
        try:
            images[position], present[position, 0] = prepare_image(Path(avatar).read_bytes() if avatar else b"", size)
            tokens[position], present[position, 1] = prepare_text(nickname.encode())
        except (InvalidInput, OSError) as exc:
            raise ManifestError(f"row {row}: {avatar or 'nickname'}: {exc}") from exc
    female = (table["gender"] == "female").to_numpy(np.float32)[:, None]
    return Users(images, tokens, present, female, table["weight"].to_numpy(np.float32))


class Batches(keras.utils.PyDataset):
    """Shuffled, augmented batches; the order and the dice depend on seed and epoch only."""

    def __init__(
        self,
        users: Users,
        inputs: Collection[str],
        heads: Heads,
        batch: int,
        seed: int,
        teacher: Teacher | None = None,
        augment: Augmentation = LIGHT,
    ) -> None:
        """`heads` names the model's outputs and the modality each sees (`None` = both); a teacher adds heads."""
        super().__init__(workers=1)
        self.teacher = teacher
        self.users, self.inputs, self.heads, self.batch, self.seed = users, inputs, heads, batch, seed
        self.augment = augment
        self.begin(0)

    def __len__(self) -> int:
        return len(self.users) // self.batch

    def __getitem__(self, index: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        rows = self.order[index * self.batch : (index + 1) * self.batch]
        dice = np.random.default_rng((self.seed, self.epoch, index))
        prepare: dict[str, Callable[[], NDArray[Any]]] = {
            IMAGE: lambda: augment_images(self.users.images[rows], self.augment, dice),
            TOKENS: lambda: drop_tokens(self.users.tokens[rows], self.augment.drop_token, dice),
            PRESENT: lambda: self.users.present[rows] & (dice.random((len(rows), 2)) >= self.augment.drop_modality),
        }
        inputs = {name: prepare[name]() for name in self.inputs}
        return inputs, *self.users.rows(rows).targets(self.heads, self.teacher(inputs) if self.teacher else {})

    def begin(self, epoch: int) -> None:
        """Shuffle for an epoch, counted from 0."""
        self.epoch = epoch
        self.order = np.random.default_rng((self.seed, epoch)).permutation(len(self.users))


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
