"""Train one config on one manifest.

    python -m training.gender.train --config training/gender/configs/mobilenet.py --data runs/data/manifest.csv --out runs/mobilenet

A run that was interrupted goes on after its last whole epoch when the same command is given again, and ends as it
would have without.
Below `--out`: `model.keras` (best epoch on validation), `history.csv`, `report.json`, and logs for TensorBoard.
"""

import argparse
import os
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras

from ..data.batches import Heads, Predict, Users
from ..data.manifest import Manifest, ManifestError
from ..data.stream import BatchStream, sample
from ..engine.devices import use_all_devices
from ..engine.resume import Checkpoint
from ..losses.distillation import Distillation
from ..optimizers.gc_adamw import GCAdamW, centralized_axes
from ..optimizers.lr_multiplier_adamw import LRMultiplierAdamW, lr_multipliers
from .backbones import follow_new_data, load_imagenet
from .calibrate import calibrate
from .config import Config, ConfigError, load_config
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

_FUSED_HEADS: Heads = {GENDER: None, AVATAR_ONLY: 0, NICKNAME_ONLY: 1}
_AVATAR_HEADS: Heads = {AVATAR_ONLY: 0}
_NICKNAME_HEADS: Heads = {NICKNAME_ONLY: 1}


@dataclass(frozen=True)
class Pretrained:
    """Files that a run starts from: ImageNet weights, models of one tower alone, and a trained model to learn from."""

    imagenet: Path | None = None
    avatar: Path | None = None
    text: Path | None = None
    teacher: Path | None = None


def train(config: Config, manifest: Path, out: Path, pretrained: Pretrained = Pretrained()) -> Path:
    """Train, calibrate on the validation split and write `out`; returns the model file.

    Raises:
        ManifestError: the manifest cannot be used, or lacks train or validation rows.
        ConfigError: the config asks for what there is not, or the weights are of another network.
    """
    rows = Manifest(manifest, config.max_bad_rows)
    rows.require_splits("train", "validation")
    use_all_devices(config.batch)
    model, stream = compiled(config, rows, pretrained)
    out.mkdir(parents=True, exist_ok=True)
    progress = Checkpoint(out, asdict(config), _monitor(stream.heads), rows.bad_rows)
    progress.restore(model)
    _fit(model, config, stream, progress, keras.callbacks.TensorBoard(out / "tensorboard", write_graph=False))
    calibrate(out, config, rows)
    progress.finish()
    return out / "model.keras"


def compiled(
    config: Config, manifest: Manifest, pretrained: Pretrained = Pretrained()
) -> tuple[keras.Model, BatchStream]:
    """The model, ready to be trained, and the batches to train it on.

    Raises:
        ManifestError: the manifest cannot be used, or lacks train rows.
        ConfigError: the config asks for what there is not, or the weights are of another network.
    """
    keras.utils.set_random_seed(config.seed)
    model, initialized = _build(config, pretrained)
    heads = _heads(config)
    teacher = Teacher(pretrained.teacher) if pretrained.teacher else None
    stream = BatchStream(
        manifest, model.input, heads, config.batch, config.seed, config.image_size, teacher, config.augmentation
    )
    optimizer = _optimizer(config, model, initialized, steps=config.epochs * _steps(config, stream))
    _compile(model, config, heads, optimizer, taught=teacher is not None)
    return model, stream


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="manifest: CSV, JSONL, Parquet or a folder of it")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--imagenet", type=Path, help="npz with ImageNet weights for the image trunk")
    parser.add_argument("--avatar", type=Path, help="model.keras of a config with text=False")
    parser.add_argument("--text", type=Path, help="model.keras of training/gender/configs/nickname.py")
    parser.add_argument("--teacher", type=Path, help="model.keras of a better model, to be distilled")
    args = parser.parse_args()
    try:
        start = Pretrained(args.imagenet, args.avatar, args.text, args.teacher)
        print(train(load_config(args.config), args.data, args.out, start))
    except (ManifestError, ConfigError, FileNotFoundError) as exc:
        raise SystemExit(f"train: {exc}") from exc


def _steps(config: Config, stream: BatchStream) -> int:
    return config.steps_per_epoch or stream.steps


def _fit(
    model: keras.Model, config: Config, stream: BatchStream, progress: Checkpoint, logs: keras.callbacks.TensorBoard
) -> None:
    """Train for the epochs that `progress` does not have yet."""
    done, steps = len(progress.history), _steps(config, stream)
    if done == config.epochs:
        return
    _, users = sample(
        stream.manifest, "validation", config.validation_rows, stream.inputs, config.image_size, config.seed
    )
    try:
        model.fit(
            stream.batches(done * steps, (config.epochs - done) * steps),
            steps_per_epoch=steps,
            shuffle=False,
            initial_epoch=done,
            epochs=config.epochs,
            validation_data=_validation(users, model.input, stream.heads, stream.teacher),
            verbose="auto",
            callbacks=[
                progress,
                logs,
                keras.callbacks.TerminateOnNaN(raise_error=True),
                *_late_mask(model, config, stream.heads),
            ],
        )
    except Exception:
        if stream.error:
            raise stream.error from None
        raise


def _heads(config: Config) -> Heads:
    if not config.text:
        return _AVATAR_HEADS
    return _FUSED_HEADS if config.backbone else _NICKNAME_HEADS


def _model(config: Config) -> keras.Model:
    if not config.backbone:
        return build_nickname_model(config.mean_over_padding)
    if not config.text:
        return build_avatar_model(config.backbone, config.image_size, config.cbam)
    return build_fused_model(
        config.backbone,
        size=config.image_size,
        mean_over_padding=config.mean_over_padding,
        fusion=config.fusion,
        cbam=config.cbam,
        hand_features=config.hand_features,
    )


def _build(config: Config, pretrained: Pretrained) -> tuple[keras.Model, list[keras.layers.Layer]]:
    """The model, and those parts of it that start from trained weights."""
    model, initialized = _model(config), []
    if pretrained.imagenet and config.backbone:
        initialized += load_imagenet(model.get_layer("image_tower").get_layer("trunk"), pretrained.imagenet)
    if config.backbone and config.text:
        towers = {"image_tower": pretrained.avatar, "text_tower": pretrained.text}
        initialized += [_filled(model.get_layer(name), file) for name, file in towers.items() if file]
    if pretrained.teacher:
        if GENDER not in model.output:
            raise ConfigError("a teacher needs a student with a backbone and text=True")
        model = student(model)
    return model, initialized


def _filled(tower: keras.Model, file: Path) -> keras.Model:
    """A tower with the weights of the one of the same name in a trained model."""
    try:
        trained = load_model(file).get_layer(tower.name)
        tower.set_weights(trained.get_weights())
    except ValueError as exc:
        raise ConfigError(f"{file} has no {tower.name} like that of this config") from exc
    follow_new_data(tower)
    return tower


def _compile(
    model: keras.Model, config: Config, heads: Heads, optimizer: keras.optimizers.Optimizer, taught: bool
) -> None:
    main_head, *auxiliary = heads
    plain = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=config.label_smoothing)
    metrics = [keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)]
    if config.mask_loss:
        metrics.append(config.mask_loss.metric())
    distillation = Distillation()
    model.compile(
        optimizer=optimizer,
        loss={main_head: config.mask_loss.build(config.label_smoothing) if config.mask_loss else plain}
        | dict.fromkeys(auxiliary, plain)
        | (distillation.build() if taught else {}),
        loss_weights={main_head: 1.0, **dict.fromkeys(auxiliary, config.auxiliary_loss)}
        | (distillation.loss_weights(main_head) if taught else {}),
        weighted_metrics={main_head: metrics},
    )


def _late_mask(model: keras.Model, config: Config, heads: Heads) -> list[keras.callbacks.Callback]:
    if not config.mask_loss:
        return []
    return [config.mask_loss.schedule(model.loss[next(iter(heads))], config.epochs)]


def _optimizer(
    config: Config, model: keras.Model, pretrained: list[keras.layers.Layer], steps: int
) -> keras.optimizers.Optimizer:
    warmup = max(1, steps // 20)
    schedule = keras.optimizers.schedules.CosineDecay(
        config.learning_rate / warmup, steps, warmup_target=config.learning_rate, warmup_steps=warmup
    )
    multipliers = lr_multipliers(model, pretrained, config.pretrained_pace)
    optimizer = (
        GCAdamW(schedule, weight_decay=config.weight_decay, lr_multipliers=multipliers, axes=centralized_axes(model))
        if config.gradient_centralization
        else LRMultiplierAdamW(schedule, weight_decay=config.weight_decay, lr_multipliers=multipliers)
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "embedding", "positions", "null"])
    return optimizer


def _validation(users: Users, names: Collection[str], heads: Heads, teacher: Predict | None) -> tuple[Any, Any, Any]:
    inputs = users.inputs(names)
    return inputs, *users.targets(heads, teacher(inputs) if teacher else {})


def _monitor(heads: Heads) -> str:
    head = next(iter(heads))
    return f"val_{head}_loss" if len(heads) > 1 else "val_loss"


if __name__ == "__main__":
    main()
