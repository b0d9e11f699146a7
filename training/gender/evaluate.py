"""Measure a trained model on a split, overall and slice by slice, in numbers and pictures.

    python -m training.gender.evaluate --run runs/mobilenet --data runs/data/manifest.csv

Prints a table and writes to `<run>/evaluation_<split>/`, or where `--out` says, the numbers, `evaluation.json`, and as
PNG `learning_curves`, `confusion`, `reliability`, `coverage`, `avatar_weights` and `gradcam`. What does not apply, such
as the last two to the text tower alone, is not there.
"""

import argparse
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from genderprep.tensors import LABELS, WEIGHTS

from ..data.batches import Users, prepare_users
from ..data.manifest import MAX_BAD_ROWS, SPLITS, Manifest, ManifestError
from ..engine.predict import predict_split
from ..evaluation import figures
from ..evaluation.gradcam import overlay
from ..evaluation.metrics import Summary, confusion, coverage_accuracy, expected_calibration_error, reliability
from ..evaluation.platt import PlattScaling
from ..evaluation.slices import by_slice, modalities
from ..report import read_run, write_report
from .explain import explain
from .model import GENDER, image_size, load_model, main_logits

EXPLAINED: Final = 8


def evaluate(run: Path, manifest: Path, split: str, out: Path | None = None) -> dict[str, Summary]:
    """Evaluate `run/model.keras` with its fitted scaling; returns the slices and writes JSON and pictures.

    They go to the folder `out`, by default `run/evaluation_<split>`.

    Raises:
        ManifestError: the manifest cannot be used, or has no rows in the split.
        FileNotFoundError: no finished run in that folder.
    """
    report = read_run(run)
    rows = Manifest(manifest, report.get("config", {}).get("max_bad_rows", MAX_BAD_ROWS))
    model = load_model(run / "model.keras")
    table, users, found = predict_split(with_weights(model), rows, split, image_size(model))
    female = PlattScaling(**report["scaling"])(main_logits(found), users.present)
    unknown_below = report["unknown_below"]
    slices, answers = by_slice(table, users, female), _answers(users, female, unknown_below)
    out = out or run / f"evaluation_{split}"
    bad = rows.bad_rows.report()
    write_report(
        out / "evaluation.json",
        manifest=manifest.name,
        split=split,
        config=report.get("config"),
        slices=slices,
        answers=answers,
        bad_rows=bad,
    )
    pictures = draw(run, users, female, unknown_below)
    _save(pictures | draw_fusion(model, rows, table, users, female, found.get(WEIGHTS)), out)
    return slices


def with_weights(model: keras.Model) -> keras.Model:
    """`model` with the modality weights as one more output, if it is fused."""
    if GENDER not in model.output:
        return model
    _, weights = model.get_layer("fusion").output
    return keras.Model(model.input, {**model.output, WEIGHTS: weights})


def draw(run: Path, users: Users, female: NDArray[Any], unknown_below: float) -> dict[str, Figure | None]:
    """The pictures of every run by name, None where one does not apply; `female`: P(female), float [N]."""
    labels, tells = users.female[:, 0], users.present.any(axis=1)
    error = expected_calibration_error(labels, female)
    return {
        "learning_curves": _learning_curves(run / "history.csv"),
        "confusion": figures.confusion_matrix(confusion(labels, female, tells, unknown_below), unknown_below),
        "reliability": figures.reliability_diagram(reliability(labels, female), error),
        "coverage": _coverage(labels, female, tells, unknown_below),
    }


def draw_fusion(
    model: keras.Model,
    manifest: Manifest,
    table: pd.DataFrame,
    users: Users,
    female: NDArray[Any],
    weights: NDArray[Any] | None,
) -> dict[str, Figure | None]:
    """The pictures of a fused model by name, None where one does not apply; `weights`: float [N, 2], or None."""
    if weights is None:
        return {"avatar_weights": None, "gradcam": None}
    avatar = weights[:, 0]
    strata = table["stratum"].fillna("").astype(str).to_numpy() if "stratum" in table else modalities(users)
    rows = explained(table, users)
    seen = prepare_users(manifest.take(table.index[rows]), image_size(model)) if rows.any() else None
    return {
        "avatar_weights": figures.avatar_weights(avatar, strata),
        "gradcam": _gradcam(model, seen, female[rows], avatar[rows]) if seen else None,
    }


def explained(table: pd.DataFrame, users: Users) -> NDArray[np.bool_]:
    """Whose avatars Grad-CAM explains, bool [N]: the first eight drawn ones, or the first eight if none is drawn."""
    avatars = users.present[:, 0]
    drawn = avatars & (table["source"] == "drawn").to_numpy()
    chosen = drawn if drawn.any() else avatars
    first: NDArray[np.bool_] = chosen & (np.cumsum(chosen) <= EXPLAINED)
    return first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="output folder of training.gender.train")
    parser.add_argument("--data", type=Path, required=True, help="manifest: CSV, JSONL, Parquet or a folder of it")
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--out", type=Path, help="another folder than the one in the run's")
    args = parser.parse_args()
    try:
        print(pd.DataFrame(evaluate(args.run, args.data, args.split, args.out)).T.to_string())
    except (ManifestError, FileNotFoundError) as exc:
        raise SystemExit(f"evaluate: {exc}") from exc


def _answers(users: Users, female: NDArray[Any], unknown_below: float) -> dict[str, dict[str, int]]:
    """Users by truth, then by what the client says of them."""
    counts = confusion(users.female[:, 0], female, users.present.any(axis=1), unknown_below).tolist()
    return {label: dict(zip(figures.DECISIONS, row, strict=True)) for label, row in zip(LABELS, counts, strict=True)}


def _coverage(labels: NDArray[Any], female: NDArray[Any], tells: NDArray[np.bool_], threshold: float) -> Figure | None:
    return figures.coverage_curve(coverage_accuracy(labels, female, tells), threshold) if tells.any() else None


def _learning_curves(history: Path) -> Figure | None:
    written = history.is_file() and history.stat().st_size > 0
    return figures.learning_curves(pd.read_csv(history)) if written else None


def _gradcam(model: keras.Model, users: Users, female: NDArray[Any], weights: NDArray[Any]) -> Figure:
    heats = explain(model, users)
    pictures = [np.hstack([image, overlay(image, heat)]) for image, heat in zip(users.images, heats, strict=True)]
    captions = [
        f"is {LABELS[int(label)]}, said {LABELS[int(p >= 0.5)]} {max(p, 1 - p):.2f}, avatar weighs {weight:.2f}"
        for label, p, weight in zip(users.female[:, 0], female, weights, strict=True)
    ]
    return figures.picture_grid(pictures, captions, "Grad-CAM: what in the avatar speaks for the answer")


def _save(pictures: dict[str, Figure | None], folder: Path) -> None:
    """Write each as PNG; of what does not apply no picture of an earlier evaluation stays behind."""
    for name, figure in pictures.items():
        file = folder / f"{name}.png"
        if figure:
            figure.savefig(file, dpi=110)
        else:
            file.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
