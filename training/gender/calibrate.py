"""Fit what turns a logit into a probability, and below which probability the answer is `unknown`.

    python -m training.gender.calibrate --run runs/mobilenet --data runs/data/manifest.csv

`training.gender.train` does this at its end; again for users of another kind, without training anew.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from genderprep import prep_digest

from ..data.manifest import Manifest, ManifestError
from ..engine.predict import predict_split
from ..evaluation.metrics import summary, threshold_for
from ..evaluation.platt import fit_platt
from ..report import read_run, write_report
from .config import Config, config_from
from .model import load_model, main_logits


def calibrate(run: Path, config: Config, manifest: Manifest) -> None:
    """Fit on the validation split, take the prior of the train split, and write `run/report.json`.

    Raises:
        ManifestError: the manifest cannot be used, or lacks train or validation rows.
        FileNotFoundError: no `model.keras` in `run`.
    """
    manifest.require_splits("train", "validation")
    _, users, answers = predict_split(load_model(run / "model.keras"), manifest, "validation", config.image_size)
    logits, shown = main_logits(answers), users.present.any(axis=1)
    scaling = fit_platt(logits[shown], users.female[shown], manifest.stats.prior_female)
    labels, female = users.female[:, 0], scaling(logits, users.present)
    write_report(
        run / "report.json",
        config=config,
        manifest=manifest.file.name,
        prep_digest=prep_digest(),
        scaling=scaling,
        unknown_below=threshold_for(config.precision, labels, female, shown),
        validation=summary(labels, female),
        rows=manifest.stats.rows,
        bad_rows=manifest.bad_rows.report(),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="output folder of training.gender.train")
    parser.add_argument("--data", type=Path, required=True, help="manifest: CSV, JSONL, Parquet or a folder of it")
    parser.add_argument("--precision", type=float, help="of those it decides, instead of the config's")
    args = parser.parse_args()
    try:
        config = config_from(read_run(args.run)["config"])
        config = replace(config, precision=args.precision or config.precision)
        calibrate(args.run, config, Manifest(args.data, config.max_bad_rows))
    except (ManifestError, FileNotFoundError) as exc:
        raise SystemExit(f"calibrate: {exc}") from exc


if __name__ == "__main__":
    main()
