r"""Train an image tower alone on real pictures of all sources, from a tuned or an ImageNet trunk.

    python -m training.synthetic.pack_pictures --images IMAGES AVATARS --out runs/pictures.parquet
    python -m training.gender.pretrain --config training/gender/configs/avatars.py --pictures runs/pictures.parquet \
        --backbone densenet121 --weights WEIGHTS.npz --out runs/avatars_densenet --minutes 2.5

Writes `model.keras` (float32 weights) and `report.json` to `--out`, first in the middle of the schedule. With
`--teacher`, the targets are mostly those of a trained tower on the same augmented pictures. The fused model starts from
the result: `training.gender.train --avatar`.
"""

import argparse
import math
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras

from genderprep import prep_digest
from genderprep.tensors import IMAGE

from ..arrays import TensorB1, TensorBSS3
from ..data.bad_rows import ManifestError
from ..engine.batch_norm import estimate_batch_norm, lower_batch_norm_momentum
from ..engine.errors import ConfigError
from ..engine.imagenet import load_imagenet
from ..report import start_run, write_report
from .backbones import BACKBONES
from .config import import_config
from .model import AVATAR_ONLY, build_avatar_model, load_model
from .pictures import draw_batches, read_packed
from .pretraining import Pretraining
from .tower_teacher import TowerTeacher, teacher_name

# Clean batches from which the statistics of batch normalization are estimated.
_STATISTICS: Final = 24

Batches = Iterable[tuple[TensorBSS3, TensorB1]]


def pretrain(
    config: Pretraining,
    pictures: Path,
    backbone: str,
    out: Path,
    weights: Path | None = None,
    teacher: Path | None = None,
    minutes: float = math.inf,
) -> Path:
    """Train an image tower, write the run to `out`, and return the model file.

    Args:
        config: The run.
        pictures: A file of `training.synthetic.pack_pictures`.
        backbone: A name in `backbones.BACKBONES`.
        out: Folder for the run.
        weights: An npz with the weights of the trunk, or the `model.keras` of a tower, whose training goes on.
        teacher: A run of this command, or a published tower as ONNX; see `tower_teacher`.
        minutes: After so many, training ends. Then the schedule follows the time instead of the steps.

    Raises:
        FileNotFoundError: A file does not exist.
        ConfigError: The backbone is unknown, or the weights are of another network.
    """
    teach = TowerTeacher(teacher, config.image_size) if teacher else None
    train = read_packed(pictures, config.image_size, "train")
    keras.utils.set_random_seed(config.seed)
    model = build_avatar_model(backbone, config.image_size)
    if weights:
        _load(model, weights)
    optimizer = keras.optimizers.AdamW(0.0, weight_decay=config.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(optimizer, loss=keras.losses.BinaryCrossentropy(from_logits=True))
    # Created in the first step, they would make TensorFlow trace it twice.
    optimizer.build(model.trainable_variables)
    batches = draw_batches(train, config.shares, config.batch, config.steps, config.seed, config.augmentation)
    start_run(out)

    def save(steps: int) -> None:
        _save(model, backbone, config.image_size, out / "model.keras")
        write_report(
            out / "report.json",
            config=asdict(config),
            backbone=backbone,
            teacher=teacher and teacher_name(teacher),
            weights=weights and weights.name,
            prep_digest=prep_digest(),
            steps=steps,
            pictures=steps * config.batch,
        )

    steps = _fit(model, config, batches, teach, minutes * 60, save)
    clean = draw_batches(train, config.shares, config.batch, min(_STATISTICS, config.steps), config.seed, None)
    estimate_batch_norm(model, ({IMAGE: images} for images, _ in clean))
    save(steps)
    return out / "model.keras"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, help="such as training/gender/configs/avatars.py")
    parser.add_argument("--pictures", type=Path, required=True, help="file of training.synthetic.pack_pictures")
    parser.add_argument("--backbone", choices=BACKBONES, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for the run")
    parser.add_argument("--weights", type=Path, help="npz with weights of the trunk, or model.keras of a tower")
    parser.add_argument("--teacher", type=Path, help="a run, or a published tower as ONNX, that teaches")
    parser.add_argument("--minutes", type=float, default=math.inf, help="limit of the training time")
    parser.add_argument("--bfloat16", action="store_true", help="compute in bfloat16")
    args = parser.parse_args()
    if args.bfloat16:
        keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        config = import_config(args.config, Pretraining)
        print(pretrain(config, args.pictures, args.backbone, args.out, args.weights, args.teacher, args.minutes))
    except (ConfigError, ManifestError, FileNotFoundError) as exc:
        raise SystemExit(f"pretrain: {exc}") from exc


def _fit(
    model: keras.Model,
    config: Pretraining,
    batches: Batches,
    teach: TowerTeacher | None,
    seconds: float,
    save: Callable[[int], None],
) -> int:
    """Train until the schedule or the time ends, saving once in the middle; return the number of steps."""
    started, is_saved, loss = time.monotonic(), False, math.nan
    for step, (images, p_female) in enumerate(batches):
        progress = max(step / config.steps, (time.monotonic() - started) / seconds)
        if progress >= 1:
            return step
        if progress >= 0.5 and not is_saved:
            is_saved = True
            save(step)
            print(f"step {step} of {config.steps}, loss {loss:.4f}", flush=True)
        model.optimizer.learning_rate = config.learning_rate_at(progress)
        if teach:
            p_female = (1 - config.teacher_share) * p_female + config.teacher_share * teach(images)
        target = (1 - config.label_smoothing) * p_female + config.label_smoothing / 2
        loss = float(model.train_on_batch({IMAGE: images}, {AVATAR_ONLY: target}))
    return config.steps


def _load(model: keras.Model, weights: Path) -> None:
    """Load the weights of the trunk from an npz, or all from the file of a tower."""
    trunk = model.get_layer("image_tower").get_layer("trunk")
    if weights.suffix != ".keras":
        load_imagenet(trunk, weights)
        return
    try:
        model.set_weights(load_model(weights).get_weights())
    except ValueError as exc:
        raise ConfigError(f"{weights} is not a tower of this backbone and size") from exc
    lower_batch_norm_momentum(trunk)


def _save(model: keras.Model, backbone: str, size: int, file: Path) -> None:
    """Save the model with float32 computation, whatever the precision of the training."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    copy = build_avatar_model(backbone, size)
    keras.config.set_dtype_policy(policy)
    copy.set_weights(model.get_weights())
    copy.save(file.with_name("new.keras"))
    file.with_name("new.keras").replace(file)


if __name__ == "__main__":
    main()
