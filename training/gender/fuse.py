r"""Fuse a trained image tower and a trained text tower.

    python -m training.gender.fuse --config training/gender/configs/mobilenet.py --data runs/open.parquet \
        --avatar runs/mobilenet_avatar/model.keras --text runs/nickname/model.keras --out runs/mobilenet

The towers stay as they are; the fusion and the layers behind it are trained on their features. Those are kept in
`features_*.npz` for the same towers, rows, augmentation and preprocessing, so a repeated command takes a minute.

The evidence of a tower is its logit after Platt scaling on validation users. Given the gender, avatar and nickname are
independent, so the fused logit learns the sum of the evidence (Bayes' rule), and the fusion weights learn its shares.
Training pairs any avatar with any nickname: the two agree, contradict each other, or tell nothing.

Writes a run like `training.gender.train`: `model.keras`, `history.csv` and `report.json`.
"""

import argparse
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from numpy.random import Generator
from scipy.special import expit, logit

from genderprep import PrepMismatch, prep_digest

from ..arrays import Arrays, BoolsN2, FloatsN, FloatsN1, FloatsN2, FloatsND
from ..data.arrow import shards_of
from ..data.augmentation import Augmentation
from ..data.labels import add_label_map
from ..data.manifest import Manifest, ManifestError
from ..engine.kept import kept
from ..engine.schedules import warmed_cosine
from ..engine.variables import create_variables
from ..evaluation.platt import Line, fit_platt
from ..losses.distillation import GATE
from ..report import read_run, start_run
from ..trained_with import check_preprocessing
from .build import Pretrained, digests, initialized
from .calibrate import write_calibrated
from .config import Config, ConfigError, load_config
from .features import Features, features_of
from .model import AVATAR_ONLY, GENDER, NICKNAME_ONLY

BATCH: Final = 1024
STEPS: Final = 2000
EPOCHS: Final = 10
LEARNING_RATE: Final = 2e-3
_WARM_UP: Final = 0.05
# Weight of the loss of the fusion weights; that of the logit is 1.
GATE_LOSS: Final = 0.3
# Shares of the drawn users with both modalities, the avatar only, and the nickname only.
PATTERNS: Final = {(True, True): 0.6, (True, False): 0.2, (False, True): 0.2}
# One modality alone makes no gender more probable: some users show someone else.
MOST_PROBABLE: Final = 0.98
# The array of `features_*.npz` that holds the bad rows found so far.
_BAD_ROWS: Final = "bad_rows"
# Evidence of both modalities, a logit, that counts as none when the shares are computed.
NO_EVIDENCE: Final = 0.1
WEIGHT_DECAY: Final = 1e-4


class Evidence:
    """The evidence of each modality: the calibrated logit of its tower alone."""

    def __init__(self, model: keras.Model, validation: Features) -> None:
        """Calibrate the towers of a fused model on the users of `validation`."""
        self._heads = [model.get_layer(head).get_weights() for head in (AVATAR_ONLY, NICKNAME_ONLY)]
        self._lines = [self._calibrated(validation, modality) for modality in (0, 1)]

    def __call__(self, features: FloatsND, modality: int) -> FloatsN:
        """Return the evidence, a logit, of the features of avatars (modality 0) or nicknames (1)."""
        slope, offset = self._lines[modality]
        limit = logit(MOST_PROBABLE)
        evidence: FloatsN = np.clip(slope * self._logits(features, modality)[:, 0] + offset, -limit, limit)
        return evidence

    def _logits(self, features: FloatsND, modality: int) -> FloatsN1:
        kernel, bias = self._heads[modality]
        logits: FloatsN1 = features.astype(np.float32) @ kernel + bias
        return logits

    def _calibrated(self, users: Features, modality: int) -> Line:
        features = (users.avatar, users.nickname)[modality]
        alone = users.present & (np.arange(2) == modality)
        scaling = fit_platt(self._logits(features, modality), alone, users.female, prior_female=0.5)
        return (scaling.avatar_only, scaling.nickname_only)[modality]


def targets(evidence: FloatsN2, present: BoolsN2) -> Arrays:
    """Return the targets of fused logit and fusion weights for the evidence of both modalities, [N, 2].

    The weight of a missing modality is 0.
    """
    size = present * (np.abs(evidence) + NO_EVIDENCE)
    return {
        GENDER: expit((evidence * present).sum(axis=1, keepdims=True)).astype(np.float32),
        GATE: (size / np.maximum(size.sum(axis=1, keepdims=True), NO_EVIDENCE)).astype(np.float32),
    }


def drawn_users(users: Features, evidence: Evidence, rng: Generator) -> Iterator[tuple[tuple[Any, ...], Arrays]]:
    """Yield batches of avatars and nicknames that are paired at random: the inputs of `fused_part` and its targets."""
    pools = [features[users.present[:, modality]] for modality, features in enumerate((users.avatar, users.nickname))]
    known = [evidence(features, modality) for modality, features in enumerate(pools)]
    patterns, shares = np.array(list(PATTERNS)), list(PATTERNS.values())
    while True:
        rows = [rng.integers(0, len(features), BATCH) for features in pools]
        present = patterns[rng.choice(len(patterns), BATCH, p=shares)]
        avatar, nickname = (features[row].astype(np.float32) for features, row in zip(pools, rows, strict=True))
        pairs = np.stack([each[row] for each, row in zip(known, rows, strict=True)], axis=1)
        yield (avatar, nickname, present), targets(pairs, present)


def fused_part(model: keras.Model) -> keras.Model:
    """Copy the layers of a fused model behind its towers, with new weights.

    The inputs are the features of avatar and nickname, [B, D], and `PRESENT`. The outputs are the logit `GENDER`,
    [B, 1], and the fusion weights `GATE`, [B, 2].
    """
    # Keras cannot save a model after one has been made of its inner tensors.
    model = keras.models.clone_model(model)
    fusion = model.get_layer("fusion")
    _, weights = fusion.output
    return keras.Model(fusion.input, {GENDER: model.output[GENDER], GATE: keras.layers.Identity(name=GATE)(weights)})


def fuse(config: Config, data: Path, towers: Pretrained, out: Path) -> Path:
    """Train the fusion of two towers, calibrate the model, write the run to `out`, and return the model file.

    Args:
        config: A config with a backbone and `text=True`; its augmentation changes the avatars of the train split.
        data: A manifest; `training.synthetic.open_users` writes one.
        towers: The models of the avatar and of the text tower.
        out: Folder of the run.

    Raises:
        ManifestError: The manifest cannot be used, or train or validation is empty or lacks a label.
        ConfigError: The config has one tower only, or the weights are of another network.
        PrepMismatch: A tower was trained with another preprocessing.
    """
    if not config.is_fused:
        raise ConfigError("expected a config with a backbone and text=True")
    manifest = Manifest(data, config.max_bad_rows, config.label_map)
    manifest.require_splits("train", "validation")
    for tower in (towers.avatar, towers.text):
        if tower and (tower.parent / "report.json").is_file():
            check_preprocessing(read_run(tower.parent))
    keras.utils.set_random_seed(config.seed)
    model, _ = initialized(config, towers)
    start_run(out)
    seen, validation = _features(out, model, config, manifest, digests(towers))
    part = fused_part(model)
    _fit(part, seen, validation, Evidence(model, validation), config.seed, out / "history.csv")
    for layer in part.layers:
        if layer.weights:
            model.get_layer(layer.name).set_weights(layer.get_weights())
    model.save(out / "model.keras")
    logits = part.predict((validation.avatar, validation.nickname, validation.present), batch_size=BATCH, verbose=0)
    write_calibrated(out, config, manifest, digests(towers), validation, logits[GENDER])
    return out / "model.keras"


def _features(
    out: Path, model: keras.Model, config: Config, manifest: Manifest, towers: dict[str, str]
) -> tuple[Features, Features]:
    """Return the features of the train users, with clean and with augmented avatars, and of the validation users."""
    files = [each.stat() for each in (shards_of(manifest.file) if manifest.file.is_dir() else [manifest.file])]
    rows = [manifest.file.name, [(each.st_size, each.st_mtime_ns) for each in files], config.label_map]

    def features(name: str, split: str, augmentation: Augmentation | None = None) -> Features:
        def compute() -> dict[str, Any]:
            computed = vars(features_of(model, manifest, split, augmentation))
            return computed | {_BAD_ROWS: json.dumps(manifest.bad_rows.state())}

        changes = asdict(augmentation) if augmentation else None
        key = json.dumps([towers, rows, config.image_size, changes, prep_digest(), _BAD_ROWS])
        arrays = kept(out / f"features_{name}.npz", key, compute)
        manifest.bad_rows.restore(json.loads(str(arrays.pop(_BAD_ROWS))))
        return Features(**arrays)

    seen = [features("train", "train"), features("augmented", "train", config.augmentation)]
    return Features.join(seen), features("validation", "validation")


def _fit(
    part: keras.Model, train: Features, validation: Features, evidence: Evidence, seed: int, history: Path
) -> None:
    schedule = warmed_cosine(LEARNING_RATE, STEPS, _WARM_UP)
    losses = {GENDER: keras.losses.BinaryCrossentropy(from_logits=True), GATE: keras.losses.CategoricalCrossentropy()}
    part.compile(keras.optimizers.AdamW(schedule, WEIGHT_DECAY), losses, loss_weights={GENDER: 1.0, GATE: GATE_LOSS})
    known = np.stack([evidence(validation.avatar, 0), evidence(validation.nickname, 1)], axis=1)
    inputs, expected = (validation.avatar, validation.nickname, validation.present), targets(known, validation.present)
    create_variables(part, inputs, expected)
    part.fit(
        drawn_users(train, evidence, np.random.default_rng(seed)),
        steps_per_epoch=STEPS // EPOCHS,
        epochs=EPOCHS,
        validation_data=(inputs, expected),
        verbose=2,
        callbacks=[keras.callbacks.CSVLogger(history)],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, help="such as training/gender/configs/mobilenet.py")
    parser.add_argument("--data", type=Path, required=True, help="manifest; training.synthetic.open_users writes one")
    parser.add_argument("--avatar", type=Path, required=True, help="model.keras of a config with text=False")
    parser.add_argument("--text", type=Path, required=True, help="model.keras of training/gender/configs/nickname.py")
    parser.add_argument("--out", type=Path, required=True, help="folder for the run")
    add_label_map(parser)
    args = parser.parse_args()
    try:
        config = load_config(args.config).with_label_map(args.label_map)
        print(fuse(config, args.data, Pretrained(avatar=args.avatar, text=args.text), args.out))
    except (ManifestError, ConfigError, PrepMismatch, FileNotFoundError) as exc:
        raise SystemExit(f"fuse: {exc}") from exc


if __name__ == "__main__":
    main()
