"""Random changes that training makes to a batch of users."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from genderprep.tensors import IMAGE, PRESENT, TOKENS
from genderprep.vocabulary import PAD, UNK, vocabulary

from ..arrays import Arrays, ImagesNSS3, ImageSS3, TokensNT
from .batches import Users

_SMOOTH: Final = Image.Resampling.BILINEAR


@dataclass(frozen=True)
class Augmentation:
    """Probabilities of the changes, or their largest size.

    `drop_modality`, `drop_token`, `flip` and `blur` (shrink and enlarge) are probabilities. `zoom` is the largest
    share of the side that a crop removes; `colour` and `saturation` are the largest relative gains.
    """

    drop_modality: float = 0.15
    drop_token: float = 0.05
    flip: float = 0.5
    shift_pixels: int = 8
    zoom: float = 0.0
    blur: float = 0.0
    colour: float = 0.15
    saturation: float = 0.0


LIGHT: Final = Augmentation()
# For small sets of photographs: every pass sees other crops, sharpness and colors.
STRONG: Final = Augmentation(zoom=0.35, blur=0.3, colour=0.25, saturation=0.8)


def augment(users: Users, inputs: Collection[str], augmentation: Augmentation, rng: Generator) -> Arrays:
    """Return the named model inputs of `users`, augmented."""
    by_name: dict[str, Callable[[], NDArray[Any]]] = {
        IMAGE: lambda: augment_images(users.images, augmentation, rng),
        TOKENS: lambda: drop_tokens(users.tokens, augmentation.drop_token, rng),
        PRESENT: lambda: users.present & (rng.random((len(users), 2)) >= augmentation.drop_modality),
    }
    return {name: by_name[name]() for name in inputs}


def augment_images(images: ImagesNSS3, augmentation: Augmentation, rng: Generator) -> ImagesNSS3:
    """Flip, shift, zoom, blur and recolor each image independently; a shift repeats the edge pixels."""
    pad, size = augmentation.shift_pixels, images.shape[1]
    augmented = np.empty_like(images)
    for index, image in enumerate(np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="edge")):
        x, y = rng.integers(0, 2 * pad + 1, 2)
        window = image[y : y + size, x : x + size]
        window = window[:, ::-1] if rng.random() < augmentation.flip else window
        augmented[index] = (
            _zoom_and_blur(window, augmentation, rng) if augmentation.zoom or augmentation.blur else window
        )
    return _recolor(augmented, augmentation, rng)


def drop_tokens(tokens: TokensNT, probability: float, rng: Generator) -> TokensNT:
    """Replace random tokens by `<UNK>`, so that no single character decides. Padding stays."""
    dropped = (rng.random(tokens.shape) < probability) & (tokens != vocabulary()[PAD])
    return np.where(dropped, np.int32(vocabulary()[UNK]), tokens)


def _zoom_and_blur(image: ImageSS3, augmentation: Augmentation, rng: Generator) -> ImageSS3:
    """Crop a random square and resize it to the full side; a blurred image passes through a small copy."""
    size = len(image)
    side = size * (1 - rng.uniform(0, augmentation.zoom))
    x, y = rng.uniform(0, size - side, 2)
    small = round(size * rng.uniform(0.25, 0.6)) if rng.random() < augmentation.blur else size
    crop = Image.fromarray(image).resize((small, small), _SMOOTH, box=(x, y, x + side, y + side))
    return np.array(crop.resize((size, size), _SMOOTH))


def _recolor(images: ImagesNSS3, augmentation: Augmentation, rng: Generator) -> ImagesNSS3:
    """Scale each channel, then the distance of each pixel from gray."""
    gain = rng.uniform(1 - augmentation.colour, 1 + augmentation.colour, (len(images), 1, 1, 3)).astype(np.float32)
    colored = images * gain
    if augmentation.saturation:
        limits = 1 - augmentation.saturation, 1 + augmentation.saturation
        strength = rng.uniform(*limits, (len(images), 1, 1, 1)).astype(np.float32)
        gray = colored.mean(axis=-1, keepdims=True)
        colored = gray + strength * (colored - gray)
    return np.clip(colored, 0, 255).astype(np.uint8)
