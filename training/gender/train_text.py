r"""Train the text tower alone on a token file, in batches of similar length.

    python -m training.gender.train_text --data runs/nicknames.npz --out runs/nickname

It is several times faster than `training.gender.train`, because the nicknames are tokenized
(`training.data.token_file`) and each batch is only as wide as its longest nickname. Nothing is augmented. Writes
`model.keras` and `report.json`, like `training.gender.train`.
"""

import argparse
import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from genderprep import prep_digest
from genderprep.tensors import MAX_TOKENS, TOKENS

from ..arrays import Arrays, FloatsN1
from ..data.manifest import ManifestError
from ..data.token_file import Nicknames, batches_by_length, read_token_file
from ..engine.variables import create_variables
from ..evaluation.metrics import summary, threshold_for
from ..evaluation.platt import fit_platt
from ..report import start_run, write_report
from .build import build_text
from .config import Config, ConfigError, load_config
from .model import NICKNAME_ONLY, main_logits

CONFIG = Path(__file__).parent / "configs" / "open_nicknames.py"


def train_text(config: Config, data: Path, out: Path) -> Path:
    """Train on the train split, calibrate on the validation split, write the run to `out`, and return the model file.

    Raises:
        ManifestError: The token file cannot be used, or has fewer train nicknames than a batch.
        ConfigError: The config has an image tower.
    """
    if config.backbone:
        raise ConfigError("expected a config without backbone, such as training/gender/configs/open_nicknames.py")
    nicknames, held_out = (read_token_file(data, split) for split in ("train", "validation"))
    if len(nicknames) < config.batch:
        raise ManifestError(f"{data}: expected at least {config.batch} train nicknames, got {len(nicknames)}")
    steps = config.epochs * (len(nicknames) // config.batch)
    model = build_text(config, steps)
    create_variables(model, {TOKENS: held_out.tokens}, {NICKNAME_ONLY: held_out.p_female})
    history = model.fit(_batches(nicknames, config), steps_per_epoch=steps, shuffle=False, verbose=2).history
    start_run(out)
    # Without the optimizer, whose state is twice as large as the model.
    keras.Model(model.input, model.output, name=model.name).save(out / "model.keras")
    logits = main_logits(model.predict({TOKENS: held_out.tokens}, batch_size=1024, verbose=0))
    present = np.tile([False, True], (len(held_out), 1))
    scaling = fit_platt(logits, present, held_out.p_female, 0.5)
    labels, p_female = held_out.female[:, 0], scaling(logits, present)
    write_report(
        out / "report.json",
        config=config,
        manifest=data.name,
        prep_digest=prep_digest(),
        scaling=scaling,
        unknown_below=threshold_for(config.precision, labels, p_female, present[:, 1]),
        validation=summary(labels, p_female),
        rows={"train": len(nicknames), "validation": len(held_out)},
        loss=history["loss"][-1],
    )
    return out / "model.keras"


def _batches(nicknames: Nicknames, config: Config) -> Iterator[tuple[Arrays, dict[str, FloatsN1]]]:
    """Yield batches that are cut to their longest nickname.

    The first has all steps: from two batches of different width, Keras on TensorFlow learns that the width varies.
    """
    rng, lengths = np.random.default_rng(config.seed), nicknames.lengths
    passes = (batches_by_length(nicknames, config.batch, rng) for _ in range(config.epochs))
    for index, rows in enumerate(chain.from_iterable(passes)):
        width = lengths[rows].max() if index else MAX_TOKENS
        yield {TOKENS: nicknames.tokens[rows, :width]}, {NICKNAME_ONLY: nicknames.p_female[rows]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=CONFIG, help="a config without backbone")
    parser.add_argument("--data", type=Path, required=True, help="token file of training.data.token_file")
    parser.add_argument("--out", type=Path, required=True, help="folder for the run")
    args = parser.parse_args()
    try:
        print(train_text(load_config(args.config), args.data, args.out))
    except (ConfigError, ManifestError, FileNotFoundError) as exc:
        raise SystemExit(f"train_text: {exc}") from exc


if __name__ == "__main__":
    main()
