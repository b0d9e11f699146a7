"""Fit what turns a logit into a probability: one temperature, and the prior for users who show nothing.

    python -m training.calibrate --run runs/mobilenet --data runs/data/manifest.csv

`training.train` does this at its end; again for users of another kind, without training anew. Temperature
scaling: Guo et al., 2017, arXiv 1706.04599.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genderprep import prep_digest

from .config import Config, config_from
from .data.manifest import Manifest, ManifestError
from .metrics import log_loss, summary, threshold_for
from .model import load_model, main_logits
from .predict import predict_split
from .report import write_report


def calibrate(run: Path, config: Config, manifest: Manifest) -> None:
    """Fit on the validation split, take the prior of the train split, and write `run/report.json`.

    Raises:
        ManifestError: the manifest cannot be used, or lacks train or validation rows.
        FileNotFoundError: no `model.keras` in `run`.
    """
    manifest.need("train", "validation")
    _, users, answers = predict_split(load_model(run / "model.keras"), manifest, "validation", config.image_size)
    logits = main_logits(answers)
    temperature = fit_temperature(logits, users.female)
    labels, female = users.female[:, 0], sigmoid(logits / temperature)[:, 0]
    write_report(
        run / "report.json",
        config=config,
        manifest=manifest.file.name,
        prep_digest=prep_digest(),
        temperature=round(temperature, 4),
        prior_female=round(manifest.survey.prior_female, 4),
        unknown_below=threshold_for(config.precision, labels, female, users.present.any(axis=1)),
        validation=summary(labels, female),
        rows=manifest.survey.rows,
        bad_rows=manifest.bad.report(),
    )


def fit_temperature(logits: NDArray[Any], labels: NDArray[Any], low: float = 0.2, high: float = 10.0) -> float:
    """The T that minimises the log loss of sigmoid(logit / T): golden-section search on log T.

    Raises:
        ValueError: nothing to fit on.
    """
    if not len(logits):
        raise ValueError("no users to fit the temperature on")
    ratio = (np.sqrt(5) - 1) / 2
    a, b = np.log(low), np.log(high)
    while b - a > 1e-4:
        c, d = b - ratio * (b - a), a + ratio * (b - a)
        if _loss(logits, labels, c) < _loss(logits, labels, d):
            b = d
        else:
            a = c
    return float(np.exp((a + b) / 2))


def sigmoid(logits: NDArray[Any]) -> NDArray[Any]:
    """1 / (1 + exp(-x)), element by element."""
    probabilities: NDArray[Any] = 1 / (1 + np.exp(-logits))
    return probabilities


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="output folder of training.train")
    parser.add_argument("--data", type=Path, required=True, help="manifest: CSV, JSONL, Parquet or a folder of it")
    args = parser.parse_args()
    try:
        config = config_from(json.loads((args.run / "report.json").read_text())["config"])
        calibrate(args.run, config, Manifest(args.data, config.max_bad_rows))
    except (ManifestError, FileNotFoundError) as exc:
        raise SystemExit(f"calibrate: {exc}") from exc


def _loss(logits: NDArray[Any], labels: NDArray[Any], log_temperature: float) -> float:
    return log_loss(labels, sigmoid(logits / np.exp(log_temperature)))


if __name__ == "__main__":
    main()
