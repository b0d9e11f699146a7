"""From a manifest to batches of arrays, through `genderprep` and nothing else."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from genderprep import InvalidInput, prepare_image, prepare_text
from genderprep.contract import IMAGE, IMAGE_SIZE, PAD, PRESENT, TOKENS, UNK
from genderprep.text import vocabulary

from .manifest import ManifestError

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


@dataclass(frozen=True)
class Augmentation:
    """What training does to a batch; the probabilities are per user (or per token)."""

    drop_modality: float = 0.15
    drop_token: float = 0.05
    flip: float = 0.5
    shift_pixels: int = 8
    colour: float = 0.15


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
    ) -> None:
        """`heads` names the model's outputs and the modality each sees (`None` = both); a teacher adds heads."""
        super().__init__(workers=1)
        self.teacher = teacher
        self.users, self.inputs, self.heads, self.batch, self.seed = users, inputs, heads, batch, seed
        self.augment = Augmentation()
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
    """Flip, shift (edges repeat) and recolour uint8 [B, S, S, 3], each picture by itself."""
    pad = how.shift_pixels
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="edge")
    result = np.empty_like(images)
    size = images.shape[1]
    for index, picture in enumerate(padded):
        x, y = dice.integers(0, 2 * pad + 1, 2)
        window = picture[y : y + size, x : x + size]
        result[index] = window[:, ::-1] if dice.random() < how.flip else window
    gain = dice.uniform(1 - how.colour, 1 + how.colour, (len(images), 1, 1, 3)).astype(np.float32)
    return np.clip(result * gain, 0, 255).astype(np.uint8)


def drop_tokens(tokens: NDArray[np.int32], probability: float, dice: np.random.Generator) -> NDArray[np.int32]:
    """Replace some tokens by `<UNK>`, so that no single character decides; padding stays."""
    dropped = (dice.random(tokens.shape) < probability) & (tokens != vocabulary()[PAD])
    return np.where(dropped, np.int32(vocabulary()[UNK]), tokens)
