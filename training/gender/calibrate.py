"""Fit the probabilities and the threshold of `unknown` of a trained model.

    python -m training.gender.calibrate --run runs/mobilenet --data runs/data/manifest.csv

`training.gender.train` does this at its end. Use this command to recalibrate for other users without retraining.
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from genderprep import PrepMismatch, prep_digest

from ..arrays import FloatsN1
from ..data.batches import Users
from ..data.labels import add_label_map
from ..data.manifest import Manifest, ManifestError
from ..engine.predict import predict_split
from ..evaluation.metrics import summary, threshold_for
from ..evaluation.platt import fit_platt
from ..report import read_run, write_report
from ..trained_with import check_preprocessing
from .config import Config, ConfigError, config_from
from .features import Features
from .model import load_model, main_logits


def read_calibrated(run: Path) -> dict[str, Any]:
    """Return the report of a run of `training.gender.train`, `train_text` or `fuse`.

    Raises:
        FileNotFoundError: The folder has no finished run.
        ConfigError: The run is one of another command.
        PrepMismatch: It was trained with another preprocessing.
    """
    report = read_run(run)
    if "scaling" not in report:
        raise ConfigError(f"{run}: expected a run of training.gender.train or fuse, got one of another command")
    check_preprocessing(report)
    return report


def calibrate(run: Path, config: Config, manifest: Manifest, pretrained: Mapping[str, str]) -> None:
    """Predict the validation split and write its calibration; see `write_calibrated`.

    Raises:
        ManifestError: The manifest cannot be used, or train or validation lacks a label.
        FileNotFoundError: The run has no `model.keras`.
    """
    manifest.require_splits("train", "validation")
    _, users, outputs = predict_split(load_model(run / "model.keras"), manifest, "validation", config.image_size)
    write_calibrated(run, config, manifest, pretrained, users, main_logits(outputs))


def write_calibrated(
    run: Path,
    config: Config,
    manifest: Manifest,
    pretrained: Mapping[str, str],
    users: Users | Features,
    logits: FloatsN1,
) -> None:
    """Fit on validation users, take the class prior from the train split, and write `report.json` to `run`.

    Args:
        run: Folder of the run.
        config: Its config.
        manifest: Its manifest.
        pretrained: SHA-256 of the files that the run started from.
        users: The validation users.
        logits: Their logits of P(female), [N, 1].
    """
    scaling = fit_platt(logits, users.present, users.p_female, manifest.stats.prior_female)
    labels, p_female = users.female[:, 0], scaling(logits, users.present)
    write_report(
        run / "report.json",
        config=config,
        manifest=manifest.file.name,
        prep_digest=prep_digest(),
        scaling=scaling,
        unknown_below=threshold_for(config.precision, labels, p_female, users.present.any(axis=1)),
        validation=summary(labels, p_female),
        rows=manifest.stats.rows,
        pretrained=pretrained,
        bad_rows=manifest.bad_rows.report(),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="output folder of training.gender.train")
    parser.add_argument("--data", type=Path, required=True, help="manifest: CSV, JSONL, Parquet or a folder of Parquet")
    parser.add_argument("--precision", type=float, help="share of the decided users that must be correct")
    add_label_map(parser)
    args = parser.parse_args()
    try:
        report = read_calibrated(args.run)
        config = config_from(report["config"]).with_label_map(args.label_map)
        config = replace(config, precision=args.precision or config.precision)
        rows = Manifest(args.data, config.max_bad_rows, config.label_map)
        calibrate(args.run, config, rows, report.get("pretrained", {}))
    except (ConfigError, ManifestError, PrepMismatch, FileNotFoundError) as exc:
        raise SystemExit(f"calibrate: {exc}") from exc


if __name__ == "__main__":
    main()
