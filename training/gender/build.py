"""Build what a config describes: the compiled model and its training batches."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import keras
from keras import ops

from ..arrays import TensorB1
from ..data.batches import Heads
from ..data.manifest import Manifest
from ..data.stream import BatchStream
from ..engine.batch_norm import lower_batch_norm_momentum
from ..engine.errors import ConfigError
from ..engine.imagenet import load_imagenet
from ..layers import NgramScore
from ..optimizers.gc_adamw import GCAdamW, centralized_axes
from ..optimizers.lr_multiplier_adamw import LRMultiplierAdamW, lr_multipliers
from .config import Config
from .model import (
    AVATAR_ONLY,
    GENDER,
    NICKNAME_ONLY,
    build_avatar_model,
    build_fused_model,
    build_nickname_model,
    load_model,
)
from .teacher import Teacher, student

# Weight decay skips these variables.
_NOT_DECAYED: Final = ["bias", "gamma", "beta", "embedding", "positions", "null", "table"]
# Factor of the learning rate of n-gram scores: most n-grams are in few batches.
_NGRAM_LR_MULTIPLIER: Final = 20.0


@dataclass(frozen=True)
class Pretrained:
    """Files that a run starts from.

    Args:
        imagenet: Weights of the trunk, an npz.
        avatar: A model whose image tower is copied.
        text: A model whose text tower is copied.
        teacher: A fused model to distill.
    """

    imagenet: Path | None = None
    avatar: Path | None = None
    text: Path | None = None
    teacher: Path | None = None


SCRATCH: Final = Pretrained()


def digests(pretrained: Pretrained) -> dict[str, str]:
    """Return the SHA-256 of the files that a run starts from."""
    return {name: sha256(file.read_bytes()).hexdigest() for name, file in vars(pretrained).items() if file}


def build(config: Config, manifest: Manifest, pretrained: Pretrained = SCRATCH) -> tuple[keras.Model, BatchStream]:
    """Return the compiled model and its training batches.

    Raises:
        ManifestError: The manifest cannot be used, or has no train rows.
        ConfigError: A config value is invalid, or the weights are of another network.
    """
    keras.utils.set_random_seed(config.seed)
    model, pretrained_layers = initialized(config, pretrained)
    heads = _heads(config)
    teacher = Teacher(pretrained.teacher) if pretrained.teacher else None
    stream = BatchStream(
        manifest, model.input, heads, config.batch, config.seed, config.image_size, teacher, config.augmentation
    )
    steps = config.epochs * (config.steps_per_epoch or stream.steps)
    _compile(model, config, heads, _optimizer(config, model, pretrained_layers, steps), has_teacher=teacher is not None)
    return model, stream


def build_text(config: Config, steps: int) -> keras.Model:
    """Return the compiled text tower alone, to be trained for so many steps."""
    keras.utils.set_random_seed(config.seed)
    model = _model(config)
    _compile(model, config, _heads(config), _optimizer(config, model, [], steps), has_teacher=False)
    return model


@keras.saving.register_keras_serializable("gender")
def expected_accuracy(p_female: TensorB1, logits: TensorB1) -> TensorB1:
    """Return the probability that each decision is right; for hard labels, whether it is."""
    return ops.where(logits > 0, p_female, 1 - p_female)


def _heads(config: Config) -> Heads:
    """Return the model's outputs, the main one first, and the modality that each needs."""
    if config.is_fused:
        return {GENDER: None, AVATAR_ONLY: 0, NICKNAME_ONLY: 1}
    return {AVATAR_ONLY: 0} if config.backbone else {NICKNAME_ONLY: 1}


def _model(config: Config) -> keras.Model:
    if not config.backbone:
        return build_nickname_model(config.mean_over_padding, config.max_ngram, config.ngrams)
    if not config.text:
        return build_avatar_model(config.backbone, config.image_size, config.cbam)
    return build_fused_model(
        config.backbone,
        size=config.image_size,
        mean_over_padding=config.mean_over_padding,
        ngrams=config.ngrams,
        fusion=config.fusion,
        cbam=config.cbam,
        hand_features=config.hand_features,
    )


def initialized(config: Config, pretrained: Pretrained) -> tuple[keras.Model, list[keras.layers.Layer]]:
    """Return the model with the pretrained weights, and the layers that have them.

    Raises:
        ConfigError: The weights are of another network.
    """
    model, layers = _model(config), []
    if pretrained.imagenet and config.backbone:
        layers += load_imagenet(model.get_layer("image_tower").get_layer("trunk"), pretrained.imagenet)
    if config.is_fused:
        if pretrained.avatar:
            layers += _copy_weights(pretrained.avatar, model, "image_tower", AVATAR_ONLY)
        if pretrained.text:
            layers += _copy_weights(pretrained.text, model, "text_tower", NICKNAME_ONLY)
    if pretrained.teacher:
        if not config.is_fused:
            raise ConfigError("a teacher needs a student with a backbone and text=True")
        model = student(model)
    return model, layers


def _copy_weights(file: Path, model: keras.Model, *names: str) -> list[keras.layers.Layer]:
    """Copy the weights of the layers of these names from a trained model; return the layers."""
    layers, trained = [model.get_layer(name) for name in names], load_model(file)
    try:
        for layer in layers:
            layer.set_weights(trained.get_layer(layer.name).get_weights())
    except ValueError as exc:
        raise ConfigError(f"{file}: expected a model whose {names[0]} matches this config") from exc
    for layer in layers:
        if isinstance(layer, keras.Model):
            lower_batch_norm_momentum(layer)
    return layers


def _compile(
    model: keras.Model, config: Config, heads: Heads, optimizer: keras.optimizers.Optimizer, has_teacher: bool
) -> None:
    main_head, *auxiliary = heads
    plain = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=config.label_smoothing)
    losses = {main_head: plain, **dict.fromkeys(auxiliary, plain)}
    weights = {main_head: 1.0, **dict.fromkeys(auxiliary, config.auxiliary_loss)}
    metrics = [keras.metrics.MeanMetricWrapper(expected_accuracy, name="accuracy")]
    if config.mask_loss:
        losses[main_head] = config.mask_loss.build(config.label_smoothing)
        metrics.append(config.mask_loss.metric())
    if has_teacher:
        losses |= config.distillation.build()
        weights |= config.distillation.loss_weights(main_head)
    model.compile(optimizer, loss=losses, loss_weights=weights, weighted_metrics={main_head: metrics})


def _optimizer(
    config: Config, model: keras.Model, pretrained_layers: list[keras.layers.Layer], steps: int
) -> keras.optimizers.Optimizer:
    warmup = max(1, steps // 20)
    schedule = keras.optimizers.schedules.CosineDecay(
        config.learning_rate / warmup, max(1, steps - warmup), warmup_target=config.learning_rate, warmup_steps=warmup
    )
    ngrams = [layer for layer in model._flatten_layers() if isinstance(layer, NgramScore)]
    multipliers = lr_multipliers(
        model, {config.pretrained_lr_multiplier: pretrained_layers, _NGRAM_LR_MULTIPLIER: ngrams}
    )
    settings: dict[str, Any] = {"weight_decay": config.weight_decay, "lr_multipliers": multipliers}
    optimizer = (
        GCAdamW(schedule, axes=centralized_axes(model), centralized=config.gradient_centralization, **settings)
        if config.gradient_centralization
        else LRMultiplierAdamW(schedule, **settings)
    )
    optimizer.exclude_from_weight_decay(var_names=_NOT_DECAYED)
    return optimizer
