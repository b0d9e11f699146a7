r"""Learn embeddings of pictures without labels.

    python -m training.synthetic.cards --out runs/cards
    python -m training.pretrain.run --method moco --data runs/cards/cards.csv --out runs/moco

Writes `model.keras` (the encoder), `history.csv` and `report.json` to `--out`. To resume an interrupted run after its
last complete epoch, repeat the command; a finished run stays as it is.

On a GPU, set `KERAS_BACKEND=torch` or `jax`, and raise `--size` to 128.
"""

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from genderprep import prep_digest

from ..data.bad_rows import BadRows, ManifestError
from ..engine.errors import ConfigError
from ..engine.resume import Checkpoint, check_finished_run
from ..engine.schedules import warmed_cosine
from ..gender.config import import_config
from ..optimizers.lr_multiplier_adamw import LRMultiplierAdamW, lr_multipliers
from ..report import write_report
from .collapse import CollapseError, CollapseGuard, embed
from .measures import LABELS
from .methods import METHODS, Config, Pretraining, build
from .moco import mean_loss
from .neighbors import label_consistency
from .pictures import Pictures, read_pictures

# Held-out pictures that are embedded after each epoch.
_WATCHED: Final = 1000
# Train pictures that show a new model how its features vary.
_PREPARED: Final = 4000
_WARM_UP: Final = 0.05


class CpuClock(keras.callbacks.Callback):
    """Logs the processor time of an epoch's training as `cpu_seconds`."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._start = time.process_time()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        (logs if logs is not None else {})["cpu_seconds"] = time.process_time() - self._start


class LabelWatch(keras.callbacks.Callback):
    """Logs the label consistency of held-out pictures at K = 10 after each epoch, as `theme_consistency` and so on."""

    def __init__(self, encoder: keras.Model, pictures: Pictures) -> None:
        super().__init__()
        self._encoder, self._pictures = encoder, pictures
        self._labels = [label for label in LABELS if label in pictures.table]

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        embeddings = embed(self._encoder, self._pictures.pixels)
        for label in self._labels:
            consistency = label_consistency(embeddings, self._pictures.table[label].to_numpy(), 10)
            (logs if logs is not None else {})[f"{label}_consistency"] = consistency.value


def run(config: Config, manifest: Path, out: Path, weights: Path | None = None) -> Path:
    """Pretrain on the train split of a manifest, write the run to `out`, and return the encoder's file.

    Args:
        config: The run.
        manifest: Of pictures, as `read_pictures` reads it.
        out: Folder of the run.
        weights: ImageNet weights that the encoder starts from.

    Raises:
        ManifestError: The manifest cannot be used, or has fewer train pictures than a batch.
        ConfigError: The config is invalid, or `out` holds another run.
        CollapseError: The embedding has collapsed.
    """
    pictures = read_pictures(manifest, config.size)
    train, watched = pictures.split("train"), pictures.split("validation")
    steps = len(train) // config.batch
    if not steps or len(watched) < 20:
        raise ManifestError(
            f"{manifest}: expected at least {config.batch} train and 20 validation pictures, "
            f"got {len(train)} and {len(watched)}"
        )
    about = {
        "config": asdict(config),
        "manifest": manifest.name,
        "pictures": len(pictures),
        "weights": weights and weights.name,
        "prep_digest": prep_digest(),
    }
    check_finished_run(out, about)
    if (out / "report.json").is_file():
        return out / "model.keras"
    out.mkdir(parents=True, exist_ok=True)
    method = build(config, steps, weights)
    _compile(method, config, steps)
    checkpoint = Checkpoint(out, about, None, BadRows(manifest, len(pictures), 0, str), method.kept)
    checkpoint.restore(method.model)
    if method.prepare is not None and not checkpoint.history:
        method.prepare(train.pixels[:_PREPARED])
    _fit(method, config, train, watched.rows(np.arange(min(len(watched), _WATCHED))), steps, checkpoint)
    write_report(
        out / "report.json",
        **about,
        history=checkpoint.history,
        chance_loss=method.chance_loss,
    )
    checkpoint.finish()
    return out / "model.keras"


def batches(pictures: Pictures, config: Config, first_epoch: int) -> Iterator[tuple[tuple[Any, Any], Any]]:
    """Yield batches of inputs and dummy targets, in an order that seed and epoch determine; drop incomplete batches."""
    for epoch in range(first_epoch, config.epochs):
        order = np.random.default_rng((config.seed, epoch)).permutation(len(pictures))
        for start in range(0, len(order) - config.batch + 1, config.batch):
            rows = order[start : start + config.batch]
            yield (pictures.pixels[rows], pictures.titles[rows]), np.zeros(config.batch, np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--config", type=Path, help="such as training/pretrain/configs/served.py")
    kind.add_argument("--method", choices=METHODS, help="the defaults of a method")
    parser.add_argument("--data", type=Path, required=True, help="manifest with the columns picture and title")
    parser.add_argument("--out", type=Path, required=True, help="folder for the run")
    parser.add_argument("--weights", type=Path, help="npz of ImageNet weights of MobileNetV2 to start from")
    for name in ("size", "epochs", "batch", "seed"):
        parser.add_argument(f"--{name}", type=int, help="default: that of the config")
    args = parser.parse_args()
    try:
        config = import_config(args.config, Config) if args.config else Config(args.method)
        given = {name: getattr(args, name) for name in ("size", "epochs", "batch", "seed")}
        config = replace(config, **{name: value for name, value in given.items() if value is not None})
        print(run(config, args.data, args.out, args.weights))
    except (ManifestError, ConfigError, CollapseError, FileNotFoundError) as exc:
        raise SystemExit(f"pretrain: {exc}") from exc


def _compile(method: Pretraining, config: Config, steps: int) -> None:
    schedule = warmed_cosine(config.learning_rate, config.epochs * steps, _WARM_UP)
    multipliers = lr_multipliers(method.model, {config.pretrained_lr_multiplier: method.pretrained})
    optimizer = LRMultiplierAdamW(schedule, weight_decay=config.weight_decay, lr_multipliers=multipliers)
    method.model.compile(optimizer, loss=mean_loss)


def _fit(
    method: Pretraining, config: Config, train: Pictures, watched: Pictures, steps: int, checkpoint: Checkpoint
) -> None:
    done = len(checkpoint.history)
    if done == config.epochs:
        return
    method.model.fit(
        batches(train, config, done),
        steps_per_epoch=steps,
        shuffle=False,
        initial_epoch=done,
        epochs=config.epochs,
        verbose=2,
        callbacks=[
            keras.callbacks.TerminateOnNaN(raise_error=True),
            CpuClock(),
            CollapseGuard(method.kept, watched.pixels, method.chance_loss),
            LabelWatch(method.kept, watched),
            checkpoint,
        ],
    )


if __name__ == "__main__":
    main()
