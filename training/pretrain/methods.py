"""The pretraining methods: what each trains on the pictures, and which part of it is kept."""

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Final

import keras

from ..engine.errors import ConfigError
from .augment import Views, build_views
from .dual_encoder import TITLE_TOKENS, DualEncoder, build_picture_tower, build_title_tower
from .encoder import SMALLEST_SIDE, build_encoder
from .moco import MoCo, chance_loss
from .swav import SwAV

# Queue of MoCo and prototypes of SwAV for some thousand pictures; the papers train on millions.
_QUEUE: Final = 16
_PROTOTYPES: Final = 100
# With SwAV's 0.05, codes of such small batches stay uniform.
_EPSILON: Final = 0.03
# SwAV has six; each costs time.
_SMALL_CROPS: Final = 2


@dataclass(frozen=True)
class Config:
    """One pretraining run.

    Args:
        method: A name in `METHODS`.
        size: S, the side of the pictures in pixels.
        epochs: Each ends with a checkpoint and with the label consistency of held-out pictures.
        batch: B, the pictures in a batch.
        width: Width multiplier of the encoder.
        dims: Size of the dual encoder's embeddings; article 001 has 32.
        learning_rate: Peak of a cosine schedule with warm-up.
        weight_decay: Of AdamW.
        seed: Seed of weights, views and order.
    """

    method: str
    size: int = 64
    epochs: int = 20
    batch: int = 128
    width: float = 0.5
    dims: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    seed: int = 1


@dataclass(frozen=True)
class Pretraining:
    """A model to train, and what is kept of it.

    Args:
        model: From `pictures` and `title` to the loss of each picture, `[B]` in nats.
        kept: The encoder that is saved. From pictures, float `[B, S, S, 3]` in 0..255, to embeddings; the dual encoder
            also takes the titles.
        chance_loss: The loss of an encoder that maps all pictures to one point.
    """

    model: keras.Model
    kept: keras.Model
    chance_loss: float


def build(config: Config, steps: int) -> Pretraining:
    """Build a method for epochs of `steps` batches.

    Raises:
        ConfigError: The method is unknown, or the batch does not fit it.
    """
    if config.method not in METHODS:
        raise ConfigError(f"expected a method of {', '.join(METHODS)}, got {config.method!r}")
    if config.batch % 4:
        raise ConfigError(f"expected a batch divisible by 4, got {config.batch}")
    keras.utils.set_random_seed(config.seed)
    return METHODS[config.method](config, steps)


def _moco(config: Config, steps: int) -> Pretraining:
    pictures, title = _inputs(config)
    encoder, twin = (build_encoder(config.width, config.size) for _ in range(2))
    queue = _QUEUE * config.batch
    objective = MoCo(encoder, twin, hidden=512, queue=queue, momentum=0.99, seed=config.seed)
    loss = objective(build_views(pictures, [Views(config.size)] * 2, config.seed))
    return Pretraining(keras.Model([pictures, title], loss), encoder, chance_loss(queue))


def _swav(config: Config, steps: int) -> Pretraining:
    pictures, title = _inputs(config)
    encoder = build_encoder(config.width)
    objective = SwAV(
        encoder,
        hidden=512,
        prototypes=_PROTOTYPES,
        epsilon=_EPSILON,
        frozen=steps,
        queue=_QUEUE * config.batch,
        queue_from=max(_QUEUE, config.epochs * steps // 4),
        seed=config.seed,
    )
    large, small = Views(config.size), Views(max(config.size // 2, SMALLEST_SIDE), 0.25, 0.5)
    loss = objective(build_views(pictures, [large] * 2 + [small] * _SMALL_CROPS, config.seed))
    return Pretraining(keras.Model([pictures, title], loss), encoder, log(_PROTOTYPES))


def _dual_encoder(config: Config, steps: int) -> Pretraining:
    pictures, title = _inputs(config)
    towers = (
        build_picture_tower(build_encoder(config.width, config.size), config.dims),
        build_title_tower(dims=config.dims),
    )
    (view,) = build_views(pictures, [Views(config.size, 0.7, jitter=0.2)], config.seed)
    pixels = keras.Input((config.size, config.size, 3), name="pictures")
    words = keras.Input((TITLE_TOKENS,), dtype="int32", name="title")
    kept = keras.Model([pixels, words], [towers[0](pixels), towers[1](words)], name="dual_encoder")
    return Pretraining(keras.Model([pictures, title], DualEncoder(*towers)([view, title])), kept, log(config.batch))


METHODS: Final[dict[str, Callable[[Config, int], Pretraining]]] = {
    "moco": _moco,
    "swav": _swav,
    "dual_encoder": _dual_encoder,
}


def _inputs(config: Config) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    pictures = keras.Input((config.size, config.size, 3), dtype="uint8", name="pictures")
    return pictures, keras.Input((TITLE_TOKENS,), dtype="int32", name="title")
