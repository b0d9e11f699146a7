"""Evaluate a trained model on a split: metrics by slice, and figures.

    python -m training.gender.evaluate --run runs/mobilenet --data runs/data/manifest.csv

Prints a table. Writes `evaluation.json` and the figures `learning_curves`, `confusion`, `reliability`, `coverage`,
`avatar_weights` and `gradcam` (PNG, light and dark) to `<run>/evaluation_<split>/`, or to `--out`. Figures that do not
apply are left out: the last two need a fused model.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import keras
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from figures.save import dark, save
from genderprep import PrepMismatch
from genderprep.tensors import LABELS, WEIGHTS

from ..arrays import BoolsN, FloatsN, FloatsN2
from ..data.batches import Users, prepare_users
from ..data.labels import LabelMap, add_label_map
from ..data.manifest import MAX_BAD_ROWS, SPLITS, Manifest, ManifestError
from ..engine.predict import predict_split
from ..evaluation import figures
from ..evaluation.gradcam import overlay
from ..evaluation.metrics import Summary, confusion, coverage_accuracy, expected_calibration_error, reliability
from ..evaluation.platt import PlattScaling
from ..evaluation.slices import by_slice, modalities
from ..report import write_report
from .calibrate import read_calibrated
from .config import ConfigError
from .explain import explain
from .model import GENDER, image_size, load_model, main_logits

EXPLAINED: Final = 8

# What draws each figure; None if one does not apply.
Figures = dict[str, Callable[[], Figure] | None]


def evaluate(
    run: Path, manifest: Path, split: str, out: Path | None = None, label_map: LabelMap | None = None
) -> dict[str, Summary]:
    """Evaluate `model.keras` of a run with its calibration, write the results, and return the metrics by slice.

    Args:
        run: A finished run.
        manifest: Source of the users.
        split: Evaluated split.
        out: Folder for the results; by default `<run>/evaluation_<split>`.
        label_map: Labels of the manifest besides those of the run's config.

    Raises:
        ManifestError: The manifest cannot be used, or has no rows in the split.
        FileNotFoundError: The folder has no finished run.
        ConfigError: The run is one of another command.
        PrepMismatch: It was trained with another preprocessing.
    """
    report = read_calibrated(run)
    config = report.get("config", {})
    labels = {**config.get("label_map", {}), **(label_map or {})}
    rows = Manifest(manifest, config.get("max_bad_rows", MAX_BAD_ROWS), labels)
    model = load_model(run / "model.keras")
    table, users, outputs = predict_split(with_weights(model), rows, split, image_size(model))
    p_female = PlattScaling(**report["scaling"])(main_logits(outputs), users.present)
    slices, unknown_below = by_slice(table, users, p_female), report["unknown_below"]
    out = out or run / f"evaluation_{split}"
    write_report(
        out / "evaluation.json",
        manifest=manifest.name,
        split=split,
        config=config,
        slices=slices,
        answers=_decision_counts(users, p_female, unknown_below),
        bad_rows=rows.bad_rows.report(),
    )
    drawn = draw(run, users, p_female, unknown_below)
    _save(drawn | draw_fusion(model, rows, table, users, p_female, outputs.get(WEIGHTS)), out)
    return slices


def with_weights(model: keras.Model) -> keras.Model:
    """Add the fusion weights to the outputs of a fused model; return any other model as it is."""
    if GENDER not in model.output:
        return model
    _, weights = model.get_layer("fusion").output
    return keras.Model(model.input, {**model.output, WEIGHTS: weights})


def draw(run: Path, users: Users, p_female: FloatsN, unknown_below: float) -> Figures:
    """Return the figures of any run."""
    labels, has_input = users.female[:, 0], users.present.any(axis=1)
    history = run / "history.csv"
    has_history = history.is_file() and history.stat().st_size > 0
    coverage = coverage_accuracy(labels, p_female, has_input) if has_input.any() else None
    return {
        "learning_curves": partial(figures.learning_curves, pd.read_csv(history)) if has_history else None,
        "confusion": partial(
            figures.confusion_matrix, confusion(labels, p_female, has_input, unknown_below), unknown_below
        ),
        "reliability": partial(
            figures.reliability_diagram, reliability(labels, p_female), expected_calibration_error(labels, p_female)
        ),
        "coverage": partial(figures.coverage_curve, coverage, unknown_below) if coverage else None,
    }


def draw_fusion(
    model: keras.Model,
    manifest: Manifest,
    table: pd.DataFrame,
    users: Users,
    p_female: FloatsN,
    weights: FloatsN2 | None,
) -> Figures:
    """Return the figures of a fused model; without fusion weights, [N, 2], none applies."""
    if weights is None:
        return {"avatar_weights": None, "gradcam": None}
    avatar = weights[:, 0]
    strata = table["stratum"].fillna("").astype(str).to_numpy() if "stratum" in table else modalities(users)
    rows = explained(table, users)
    gradcam = None
    if rows.any():
        shown = prepare_users(manifest.take(table.index[rows]), image_size(model))
        gradcam = _gradcam(model, shown, p_female[rows], avatar[rows])
    return {"avatar_weights": partial(figures.avatar_weights, avatar, strata), "gradcam": gradcam}


def explained(table: pd.DataFrame, users: Users) -> BoolsN:
    """Select the users that Grad-CAM explains: the first eight with a drawn avatar, or with any if none is drawn."""
    avatars = users.present[:, 0]
    drawn = avatars & (table["source"] == "drawn").to_numpy()
    candidates = drawn if drawn.any() else avatars
    first: BoolsN = candidates & (np.cumsum(candidates) <= EXPLAINED)
    return first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="output folder of training.gender.train")
    parser.add_argument("--data", type=Path, required=True, help="manifest: CSV, JSONL, Parquet or a folder of Parquet")
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--out", type=Path, help="folder for the results; default: evaluation_<split> in the run")
    add_label_map(parser)
    args = parser.parse_args()
    try:
        print(pd.DataFrame(evaluate(args.run, args.data, args.split, args.out, args.label_map)).T.to_string())
    except (ConfigError, ManifestError, PrepMismatch, FileNotFoundError) as exc:
        raise SystemExit(f"evaluate: {exc}") from exc


def _decision_counts(users: Users, p_female: FloatsN, unknown_below: float) -> dict[str, dict[str, int]]:
    """Count the users by label, then by the client's decision."""
    counts = confusion(users.female[:, 0], p_female, users.present.any(axis=1), unknown_below).tolist()
    return {label: dict(zip(figures.DECISIONS, row, strict=True)) for label, row in zip(LABELS, counts, strict=True)}


def _gradcam(model: keras.Model, users: Users, p_female: FloatsN, weights: FloatsN) -> Callable[[], Figure]:
    heats = explain(model, users)
    pairs = [np.hstack([image, overlay(image, heat)]) for image, heat in zip(users.images, heats, strict=True)]
    captions = [
        f"{LABELS[int(label)]}, predicted {LABELS[int(p >= 0.5)]} {max(p, 1 - p):.2f}\navatar weight {weight:.2f}"
        for label, p, weight in zip(users.female[:, 0], p_female, weights, strict=True)
    ]
    return partial(figures.picture_grid, pairs, captions, "Grad-CAM: evidence for the prediction in the avatar")


def _save(drawn: Figures, folder: Path) -> None:
    """Write the figures as PNG, and delete stale ones that no longer apply."""
    for name, figure in drawn.items():
        file = folder / f"{name}.png"
        if figure:
            save(figure, file)
        else:
            file.unlink(missing_ok=True)
            dark(file).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
