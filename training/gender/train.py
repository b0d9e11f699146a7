r"""Train a config on a manifest.

    python -m training.gender.train --config training/gender/configs/mobilenet.py \
        --data runs/data/manifest.csv --out runs/mobilenet

Writes `model.keras` (the best epoch on validation), `history.csv`, `report.json` and logs for TensorBoard to `--out`.
To resume an interrupted run after its last complete epoch, repeat the command. The result is that of an uninterrupted
run.
"""

import argparse
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras

from genderprep import prep_digest

from ..data.batches import Heads
from ..data.labels import add_label_map
from ..data.manifest import Manifest, ManifestError
from ..data.stream import BatchStream, sample
from ..engine.devices import use_all_devices
from ..engine.exclusive import exclusive
from ..engine.resume import Checkpoint, check_finished_run
from ..engine.variables import create_variables
from ..report import start_run
from .build import SCRATCH, Pretrained, build, digests
from .calibrate import calibrate
from .config import Config, ConfigError, load_config


def train(config: Config, manifest: Path, out: Path, pretrained: Pretrained = SCRATCH) -> Path:
    """Train a model, calibrate it on the validation split, write the run to `out`, and return the model file.

    Raises:
        ManifestError: The manifest cannot be used, or train or validation is empty, or a split lacks a label.
        ConfigError: A config value is invalid, the weights are of another network, or `out` holds another run or is
            in use.
    """
    rows = Manifest(manifest, config.max_bad_rows, config.label_map)
    # A test split is optional, but an evaluation on one label has no AUC.
    rows.require_splits("train", "validation", *(["test"] if rows.stats.rows["test"] else []))
    use_all_devices(config.batch)
    model, stream = build(config, rows, pretrained)
    run = _about(config, manifest, pretrained) | {"rows": rows.stats.rows}
    check_finished_run(out, run)
    out.mkdir(parents=True, exist_ok=True)
    with exclusive(out):
        start_run(out)
        checkpoint = Checkpoint(out, run, _monitor(stream.heads), rows.bad_rows)
        checkpoint.restore(model)
        if len(checkpoint.history) < config.epochs:
            _fit(model, config, stream, checkpoint, *_tensorboard(out))
        calibrate(out, config, rows, digests(pretrained))
        checkpoint.finish()
    return out / "model.keras"


def is_trained(config: Config, manifest: Path, out: Path, pretrained: Pretrained = SCRATCH) -> bool:
    """Return whether a folder holds this run, finished.

    Raises:
        ConfigError: It holds another run.
    """
    if not (out / "report.json").is_file():
        return False
    check_finished_run(out, _about(config, manifest, pretrained))
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, help="such as training/gender/configs/mobilenet.py")
    parser.add_argument("--data", type=Path, required=True, help="manifest: CSV, JSONL, Parquet or a folder of Parquet")
    parser.add_argument("--out", type=Path, required=True, help="folder for the run")
    parser.add_argument("--imagenet", type=Path, help="npz with ImageNet weights of the trunk")
    parser.add_argument("--avatar", type=Path, help="model.keras of a config with text=False")
    parser.add_argument("--text", type=Path, help="model.keras of training/gender/configs/nickname.py")
    parser.add_argument("--teacher", type=Path, help="model.keras of a better model to distill")
    add_label_map(parser)
    args = parser.parse_args()
    try:
        pretrained = Pretrained(args.imagenet, args.avatar, args.text, args.teacher)
        print(train(load_config(args.config).with_label_map(args.label_map), args.data, args.out, pretrained))
    except (ManifestError, ConfigError, FileNotFoundError) as exc:
        raise SystemExit(f"train: {exc}") from exc


def _about(config: Config, manifest: Path, pretrained: Pretrained) -> dict[str, Any]:
    return {
        "config": asdict(config),
        "manifest": manifest.name,
        "pretrained": digests(pretrained),
        "prep_digest": prep_digest(),
    }


def _fit(
    model: keras.Model, config: Config, stream: BatchStream, checkpoint: Checkpoint, *logs: keras.callbacks.Callback
) -> None:
    """Train the epochs that the checkpoint lacks."""
    done, steps = len(checkpoint.history), config.steps_per_epoch or stream.steps
    _, users = sample(
        stream.manifest, "validation", config.validation_rows, stream.inputs, config.image_size, config.seed
    )
    inputs = users.inputs(model.input)
    targets = users.targets(stream.heads, stream.teacher(inputs) if stream.teacher else {})
    create_variables(model, inputs, *targets)
    callbacks = [checkpoint, *logs, keras.callbacks.TerminateOnNaN(raise_error=True)]
    if config.mask_loss:
        callbacks.append(config.mask_loss.schedule(model.loss[next(iter(stream.heads))], config.epochs))
    try:
        model.fit(
            stream.batches(done * steps, (config.epochs - done) * steps),
            steps_per_epoch=steps,
            shuffle=False,
            initial_epoch=done,
            epochs=config.epochs,
            validation_data=(inputs, *targets),
            verbose="auto",
            callbacks=callbacks,
        )
    except Exception:
        if stream.error:
            raise stream.error from None
        raise


def _tensorboard(out: Path) -> list[keras.callbacks.Callback]:
    """Return the logs for TensorBoard, which Keras writes with TensorFlow only."""
    if keras.backend.backend() != "tensorflow":
        return []
    return [keras.callbacks.TensorBoard(out / "tensorboard", write_graph=False)]


def _monitor(heads: Heads) -> str:
    head = next(iter(heads))
    return f"val_{head}_loss" if len(heads) > 1 else "val_loss"


if __name__ == "__main__":
    main()
