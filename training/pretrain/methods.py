"""The pretraining methods: what each trains on the pictures, and which part of it is kept."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import log
from pathlib import Path
from typing import Final

import keras

from ..arrays import ImagesNSS3
from ..engine.errors import ConfigError
from .augment import Views, build_views
from .collapse import embed
from .dual_encoder import TITLE_TOKENS, DualEncoder, build_picture_tower, build_title_tower, start_projection
from .encoder import SMALLEST_SIDE, build_encoder, imagenet_encoder
from .moco import MoCo, chance_loss
from .swav import SwAV

# Queue of MoCo and prototypes of SwAV for some thousand pictures; the papers train on millions.
_QUEUE: Final = 16
# Pictures of which MoCo normalizes keys together, as on each GPU of the paper.
_SPLIT: Final = 32
_PROTOTYPES: Final = 100
# With SwAV's 0.05, codes of such small batches stay uniform.
_EPSILON: Final = 0.03
# Batches of earlier pictures that a view of the dual encoder is compared with.
_INSTANCES: Final = 48
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
        width: Width multiplier of the encoder; ImageNet weights have width 1.
        dims: Size of the dual encoder's embeddings; article 001 has 32.
        instance_weight: How much the dual encoder learns to tell pictures of the same title apart.
        learning_rate: Peak of a cosine schedule with warm-up.
        pretrained_lr_multiplier: Factor of the learning rate of an encoder that starts from ImageNet weights.
        weight_decay: Of AdamW.
        seed: Seed of weights, views and order.
    """

    method: str
    size: int = 64
    epochs: int = 20
    batch: int = 128
    width: float = 0.5
    dims: int = 32
    instance_weight: float = 0.0
    learning_rate: float = 1e-3
    pretrained_lr_multiplier: float = 0.3
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
        pretrained: The layers that start from ImageNet weights.
        prepare: What a new run calls with its first train pictures, `[N, S, S, 3]`.
    """

    model: keras.Model
    kept: keras.Model
    chance_loss: float
    pretrained: list[keras.layers.Layer] = field(default_factory=list)
    prepare: Callable[[ImagesNSS3], None] | None = None


def build(config: Config, steps: int, weights: Path | None = None) -> Pretraining:
    """Build a method for epochs of `steps` batches.

    Args:
        config: The run.
        steps: Batches in an epoch.
        weights: ImageNet weights that the encoder starts from, an npz as `load_imagenet` reads it.

    Raises:
        ConfigError: The method is unknown, or the batch or the weights do not fit it.
        FileNotFoundError: The weights do not exist.
    """
    if config.method not in METHODS:
        raise ConfigError(f"expected a method of {', '.join(METHODS)}, got {config.method!r}")
    if weights is not None and config.width != 1:
        raise ConfigError(f"expected width 1, which ImageNet weights have, got {config.width}")
    keras.utils.set_random_seed(config.seed)
    return METHODS[config.method](config, steps, weights)


def _moco(config: Config, steps: int, weights: Path | None) -> Pretraining:
    pictures, title = _inputs(config)
    encoder, twin = (_encoder(config, config.size, weights) for _ in range(2))
    queue, splits = _QUEUE * config.batch, max(2, config.batch // _SPLIT)
    if config.batch % splits:
        raise ConfigError(f"expected a batch divisible by {splits}, got {config.batch}")
    objective = MoCo(encoder, twin, hidden=512, queue=queue, momentum=0.99, splits=splits, seed=config.seed)
    loss = objective(build_views(pictures, [Views(config.size)] * 2, config.seed))
    return Pretraining(keras.Model([pictures, title], loss), encoder, chance_loss(queue), _started(encoder, weights))


def _swav(config: Config, steps: int, weights: Path | None) -> Pretraining:
    pictures, title = _inputs(config)
    encoder = _encoder(config, None, weights)
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
    return Pretraining(keras.Model([pictures, title], loss), encoder, log(_PROTOTYPES), _started(encoder, weights))


def _dual_encoder(config: Config, steps: int, weights: Path | None) -> Pretraining:
    pictures, title = _inputs(config)
    encoder = _encoder(config, config.size, weights)
    towers = build_picture_tower(encoder, config.dims), build_title_tower(dims=config.dims)
    queue = _INSTANCES * config.batch
    objective = DualEncoder(*towers, instance_weight=config.instance_weight, queue=queue)
    views = build_views(
        pictures, [Views(config.size, 0.7, jitter=0.2)] * (2 if config.instance_weight else 1), config.seed
    )
    pixels = keras.Input((config.size, config.size, 3), name="pictures")
    words = keras.Input((TITLE_TOKENS,), dtype="int32", name="title")
    kept = keras.Model([pixels, words], [towers[0](pixels), towers[1](words)], name="dual_encoder")
    chance = log(config.batch) + config.instance_weight * chance_loss(queue)
    model = keras.Model([pictures, title], objective([*views, title]))
    if weights is None:
        return Pretraining(model, kept, chance)
    return Pretraining(
        model, kept, chance, [towers[0]], lambda pixels: start_projection(towers[0], embed(encoder, pixels))
    )


METHODS: Final[dict[str, Callable[[Config, int, Path | None], Pretraining]]] = {
    "moco": _moco,
    "swav": _swav,
    "dual_encoder": _dual_encoder,
}


def _encoder(config: Config, size: int | None, weights: Path | None) -> keras.Model:
    return build_encoder(config.width, size) if weights is None else imagenet_encoder(weights, size)


def _started(encoder: keras.Model, weights: Path | None) -> list[keras.layers.Layer]:
    return [] if weights is None else [encoder]


def _inputs(config: Config) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    pictures = keras.Input((config.size, config.size, 3), dtype="uint8", name="pictures")
    return pictures, keras.Input((TITLE_TOKENS,), dtype="int32", name="title")
