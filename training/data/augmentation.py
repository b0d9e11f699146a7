"""Random changes that training makes to a batch of users."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from keras import ops
from numpy.random import Generator
from numpy.typing import NDArray

from genderprep.tensors import IMAGE, PRESENT, TOKENS
from genderprep.vocabulary import PAD, UNK, vocabulary

from ..arrays import Arrays, FloatsN, ImagesNSS3, TensorBSS3, TokensNT
from .batches import Users
from .jpeg import compress
from .pixels import blur, erase, place, recolor

# The coarsest blur is that of a picture of so many pixels.
SMALLEST: Final = 28
JPEG_QUALITY: Final = (25, 95)
# How far a crop or a small picture may leave the center, as a share of the room that it has.
_OFF_CENTER: Final = 0.7


@dataclass(frozen=True)
class Augmentation:
    """Probabilities of the changes, or their largest size.

    `drop_modality`, `drop_token`, `flip`, `blur` (as if the picture had been small), `erase` (a rectangle), `compress`
    (as JPEG) and `scene` (another picture behind one of scale below 1, instead of a plain color) are probabilities.
    `min_scale` and `max_scale` bound the size of the picture: above 1 it is cropped, below 1 it is small on a
    background. `shift` is a share of the side, `rotation` and `hue` are degrees, `color` and `saturation` are relative
    gains.
    """

    drop_modality: float = 0.15
    drop_token: float = 0.05
    flip: float = 0.5
    shift: float = 0.06
    min_scale: float = 1.0
    max_scale: float = 1.0
    rotation: float = 0.0
    blur: float = 0.0
    color: float = 0.15
    saturation: float = 0.0
    hue: float = 0.0
    erase: float = 0.0
    compress: float = 0.0
    scene: float = 0.0


LIGHT: Final = Augmentation()
# For photographs: every pass sees other crops and sizes, sharpness and colors.
STRONG: Final = Augmentation(
    min_scale=0.4,
    max_scale=1.7,
    rotation=20,
    blur=0.3,
    color=0.25,
    saturation=0.8,
    hue=12,
    erase=0.15,
    compress=0.4,
    scene=0.3,
)


def augment(users: Users, inputs: Collection[str], augmentation: Augmentation, rng: Generator) -> Arrays:
    """Return the named model inputs of `users`, augmented."""
    by_name: dict[str, Callable[[], NDArray[Any]]] = {
        IMAGE: lambda: ops.convert_to_numpy(augment_images(users.images, augmentation, rng)),
        TOKENS: lambda: drop_tokens(users.tokens, augmentation.drop_token, rng),
        PRESENT: lambda: users.present & (rng.random((len(users), 2)) >= augmentation.drop_modality),
    }
    return {name: by_name[name]() for name in inputs}


def augment_images(
    images: ImagesNSS3, augmentation: Augmentation, rng: Generator, scenes: ImagesNSS3 | None = None
) -> TensorBSS3:
    """Change each image independently, the whole batch at once on Keras' device.

    Args:
        images: Pixels, uint8 [B, S, S, 3].
        augmentation: What changes, and by how much.
        rng: Determines the changes.
        scenes: Pictures that may lie behind the images, uint8 [B, S, S, 3]; by default other images of the batch.

    Returns:
        A tensor like `images`.
    """
    count, size = images.shape[:2]
    pixels = ops.cast(ops.convert_to_tensor(images), "float32")
    if scenes is None and augmentation.scene:
        scenes = np.roll(images, 1, axis=0)
    pixels = _place(pixels, scenes, augmentation, rng)
    sharp = rng.random(count) >= augmentation.blur
    pixels = blur(pixels, np.where(sharp, size, _log_uniform((min(SMALLEST, size), size), count, rng)))
    pixels = recolor(pixels, _color_matrices(count, augmentation, rng))
    if augmentation.erase:
        pixels = _erase(pixels, augmentation.erase, rng)
    pixels = ops.clip(pixels, 0, 255)
    if augmentation.compress:
        chosen = rng.random(count) < augmentation.compress
        pixels = compress(pixels, np.where(chosen, rng.uniform(*JPEG_QUALITY, count), 100))
    return ops.cast(ops.clip(ops.round(pixels), 0, 255), "uint8")


def drop_tokens(tokens: TokensNT, probability: float, rng: Generator) -> TokensNT:
    """Replace random tokens by `<UNK>`, so that no single character decides. Padding stays."""
    dropped = (rng.random(tokens.shape) < probability) & (tokens != vocabulary()[PAD])
    return np.where(dropped, np.int32(vocabulary()[UNK]), tokens)


def _place(pixels: TensorBSS3, scenes: ImagesNSS3 | None, augmentation: Augmentation, rng: Generator) -> TensorBSS3:
    """Flip, rotate, scale and shift; half of the small pictures repeat their edges instead of a background."""
    count = pixels.shape[0]
    scale = _log_uniform((augmentation.min_scale, augmentation.max_scale), count, rng)
    room = _OFF_CENTER * np.abs(1 - scale) + 2 * augmentation.shift
    shift = rng.uniform(-1, 1, (2, count)) * room
    angle = np.deg2rad(rng.uniform(-1, 1, count) * augmentation.rotation)
    mirror = np.where(rng.random(count) < augmentation.flip, -1.0, 1.0)
    repeats_edge = (rng.random(count) < 0.5) | (scale >= 1)
    plain = rng.uniform(0, 255, (count, 1, 1, 3)).astype(np.float32)
    background = ops.convert_to_tensor(plain)
    if scenes is not None:
        behind = (rng.random(count) < augmentation.scene)[:, None, None, None]
        background = ops.where(behind, ops.cast(ops.convert_to_tensor(scenes), "float32"), background)
    return place(pixels, scale, angle, mirror, shift, background, repeats_edge)


def _erase(pixels: TensorBSS3, probability: float, rng: Generator) -> TensorBSS3:
    count = pixels.shape[0]
    sides = rng.uniform(0.1, 0.4, (2, count)) * (rng.random(count) < probability)
    return erase(pixels, rng.uniform(0, 1, (2, count)), sides, rng.uniform(0, 255, (count, 3)))


def _color_matrices(count: int, augmentation: Augmentation, rng: Generator) -> NDArray[np.float32]:
    """Return matrices [B, 3, 3] for row vectors: gains of the channels, then saturation and hue around gray."""
    gains = rng.uniform(1 - augmentation.color, 1 + augmentation.color, (count, 3, 1)) * np.eye(3)
    saturation = rng.uniform(1 - augmentation.saturation, 1 + augmentation.saturation, (count, 1, 1))
    angle = np.deg2rad(rng.uniform(-1, 1, (count, 1, 1)) * augmentation.hue)
    gray = np.full((3, 3), 1 / 3)
    # A rotation around the gray axis (Rodrigues).
    turn = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    rotation = np.cos(angle) * (np.eye(3) - gray) + np.sin(angle) * turn
    matrices: NDArray[np.float32] = (gains @ (gray + saturation * rotation)).astype(np.float32)
    return matrices


def _log_uniform(bounds: tuple[float, float], count: int, rng: Generator) -> FloatsN:
    low, high = np.log(bounds)
    values: FloatsN = np.exp(rng.uniform(low, high, count))
    return values
