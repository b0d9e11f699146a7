"""Train one config on one manifest.

    python -m training.train --config training/configs/mobilenet.py --data runs/data/manifest.csv --out runs/mobilenet

A run that was interrupted goes on after its last whole epoch when the same command is given again.
Below `--out`: `model.keras` (best epoch on validation), `history.csv`, `report.json`.
"""

import argparse
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import pandas as pd

from .backbones import load_imagenet
from .calibrate import calibrate
from .config import Config, ConfigError, load_config
from .data.batches import Batches, Users, prepare_users
from .data.manifest import ManifestError, read_manifest
from .model import AVATAR_ONLY, GENDER, NICKNAME_ONLY, build_fused_model, build_nickname_model, load_model
from .optimizers import PacedAdamW, paces_of

Heads = dict[str, int | None]

# Each output and the modality that its loss needs; None = whatever is there.
_FUSED_HEADS: Heads = {GENDER: None, AVATAR_ONLY: 0, NICKNAME_ONLY: 1}
_NICKNAME_HEADS: Heads = {NICKNAME_ONLY: 1}


def train(config: Config, manifest: Path, out: Path, imagenet: Path | None = None, text: Path | None = None) -> Path:
    """Train, calibrate on the validation split and write `out`; returns the model file.

    Raises:
        ManifestError: the manifest cannot be used, or lacks train or validation rows.
    """
    keras.utils.set_random_seed(config.seed)
    users = {split: _users(manifest, split) for split in ("train", "validation")}
    model, pretrained = _build(config, imagenet, text)
    heads = _FUSED_HEADS if config.backbone else _NICKNAME_HEADS
    batches = Batches(users["train"], model.input, heads, min(config.batch, len(users["train"])), config.seed)
    paces = paces_of(model, pretrained, config.pretrained_pace)
    _compile(model, config, heads, _optimizer(config, paces, steps=config.epochs * len(batches)))
    out.mkdir(parents=True, exist_ok=True)
    model.fit(
        batches,
        epochs=config.epochs,
        validation_data=_validation(users["validation"], model.input, heads),
        verbose="auto",
        callbacks=_callbacks(batches, out, monitor=_monitor(heads)),
    )
    calibrate(out, config, manifest)
    return out / "model.keras"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="manifest: CSV, JSONL or Parquet")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--imagenet", type=Path, help="npz with ImageNet weights for the image trunk")
    parser.add_argument("--text", type=Path, help="model.keras of training/configs/nickname.py")
    args = parser.parse_args()
    try:
        print(train(load_config(args.config), args.data, args.out, args.imagenet, args.text))
    except (ManifestError, ConfigError, FileNotFoundError) as exc:
        raise SystemExit(f"train: {exc}") from exc


def _users(manifest: Path, split: str) -> Users:
    table = read_manifest(manifest)
    rows = table[table["split"] == split]
    if rows.empty:
        raise ManifestError(f"{manifest}: no rows in the split {split!r}")
    return prepare_users(rows)


def _build(config: Config, imagenet: Path | None, text: Path | None) -> tuple[keras.Model, list[keras.Model]]:
    """The model, and those parts of it that start from trained weights."""
    if not config.backbone:
        return build_nickname_model(), []
    model, pretrained = build_fused_model(config.backbone), []
    if imagenet:
        pretrained.append(model.get_layer("image_tower").get_layer("trunk"))
        load_imagenet(pretrained[-1], imagenet)
    if text:
        pretrained.append(model.get_layer("text_tower"))
        pretrained[-1].set_weights(load_model(text).get_layer("text_tower").get_weights())
    return model, pretrained


def _compile(model: keras.Model, config: Config, heads: Heads, optimizer: keras.optimizers.Optimizer) -> None:
    main_head, *auxiliary = heads
    loss = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=config.label_smoothing)
    model.compile(
        optimizer=optimizer,
        loss=dict.fromkeys(heads, loss),
        loss_weights={main_head: 1.0, **dict.fromkeys(auxiliary, config.auxiliary_loss)},
        weighted_metrics={main_head: [keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)]},
    )


def _callbacks(batches: Batches, out: Path, monitor: str) -> list[keras.callbacks.Callback]:
    """What makes a run resumable. Keras itself forgets over an interruption which epoch was the best, whose
    history the file holds, and how many epochs the batches have been through."""
    history, resume = out / "history.csv", out / "resume"
    interrupted = resume.is_dir() and history.is_file() and history.stat().st_size > 0
    best = float(pd.read_csv(history)[monitor].min()) if interrupted else None
    return [
        keras.callbacks.BackupAndRestore(resume),
        keras.callbacks.ModelCheckpoint(
            out / "model.keras", monitor=monitor, mode="min", save_best_only=True, initial_value_threshold=best
        ),
        keras.callbacks.CSVLogger(history, append=interrupted),
        keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: batches.begin(epoch)),
    ]


def _optimizer(config: Config, paces: list[float], steps: int) -> keras.optimizers.Optimizer:
    warmup = max(1, steps // 20)
    schedule = keras.optimizers.schedules.CosineDecay(
        config.learning_rate / warmup, steps, warmup_target=config.learning_rate, warmup_steps=warmup
    )
    optimizer = PacedAdamW(schedule, weight_decay=config.weight_decay, paces=paces)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "embedding", "positions", "null"])
    return optimizer


def _validation(users: Users, inputs: Collection[str], heads: Heads) -> tuple[Any, Any, Any]:
    weights = {h: users.weights if m is None else users.weights * users.present[:, m] for h, m in heads.items()}
    return users.inputs(inputs), dict.fromkeys(heads, users.female), weights


def _monitor(heads: Heads) -> str:
    head = next(iter(heads))
    return f"val_{head}_loss" if len(heads) > 1 else "val_loss"


if __name__ == "__main__":
    main()
