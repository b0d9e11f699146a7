"""Evaluate an image tower on held-out real pictures, by source, size of the face, origin and age.

    python -m training.gender.evaluate_tower --run runs/avatars_densenet --pictures runs/pictures.parquet \
        --out results/avatars_densenet.json

The test split has identities, designs and whole sources that this training does not see. The trunks `*_avatars.npz`
that it starts from were tuned on nine tenths of each source. They saw none of the people in the photographs that are
tested, but may have seen some of the cartoons and emoji. P(female) is that of the tower alone, not calibrated.
Intervals are over identities. Prints a table.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import pandas as pd
from keras import ops
from scipy.special import expit

from genderprep.tensors import IMAGE

from ..arrays import BoolsN, FloatsN, TensorBSS3
from ..data.bad_rows import ManifestError
from ..data.pixels import blur, place
from ..evaluation.intervals import identities_of
from ..evaluation.metrics import Summary, summary
from ..report import read_run, write_report
from .model import AVATAR_ONLY, image_size, load_model
from .pictures import Pictures, read_packed

SEED: Final = 1
_BATCH: Final = 64
PHOTO: Final = "photo"
ASIAN: Final = ("East Asian", "Southeast Asian")
_SURE: Final = 0.9


def evaluate_tower(run: Path, pictures: Path) -> dict[str, dict[str, Summary]]:
    """Return metrics of groups of test pictures: `clean`, and with faces `small` and `blurred`.

    Raises:
        FileNotFoundError: A file does not exist.
    """
    model = load_model(run / "model.keras")
    test = read_packed(pictures, image_size(model), "test")
    faces = test.rows((test.table["kind"] == PHOTO).to_numpy())
    metrics = {"clean": _by_group(test, _predict(model, test, lambda pixels, _: pixels))}
    for name, change in (("small", _small), ("blurred", _blurred)):
        metrics[name] = _by_group(faces, _predict(model, faces, change))
    return metrics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="output folder of training.gender.pretrain")
    parser.add_argument("--pictures", type=Path, required=True, help="file of training.synthetic.pack_pictures")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file")
    args = parser.parse_args()
    try:
        report, metrics = read_run(args.run), evaluate_tower(args.run, args.pictures)
    except (ManifestError, FileNotFoundError) as exc:
        raise SystemExit(f"evaluate_tower: {exc}") from exc
    write_report(args.out, seed=SEED, training=report, metrics=metrics)
    rows = {f"{view}: {group}": values for view, groups in metrics.items() for group, values in groups.items()}
    print(pd.DataFrame(rows).T.to_string())


def _small(pixels: TensorBSS3, rng: np.random.Generator) -> TensorBSS3:
    """Place each picture at 45 % of its size on a plain color."""
    count = pixels.shape[0]
    color = ops.convert_to_tensor(rng.uniform(0, 255, (count, 1, 1, 3)).astype(np.float32))
    shift = rng.uniform(-0.4, 0.4, (2, count))
    ones = np.ones(count)
    return place(pixels, 0.45 * ones, 0 * ones, ones, shift, color, np.zeros(count, np.bool_))


def _blurred(pixels: TensorBSS3, _: np.random.Generator) -> TensorBSS3:
    """Blur each picture to 32 pixels."""
    return blur(pixels, np.full(pixels.shape[0], 32))


def _predict(
    model: keras.Model, pictures: Pictures, change: Callable[[TensorBSS3, np.random.Generator], TensorBSS3]
) -> FloatsN:
    """Return P(female), [N]."""
    rng, logits = np.random.default_rng(SEED), []
    for start in range(0, len(pictures.images), _BATCH):
        pixels = ops.convert_to_tensor(pictures.images[start : start + _BATCH].astype(np.float32))
        images = ops.cast(ops.clip(ops.round(change(pixels, rng)), 0, 255), "uint8")
        logits.append(model.predict_on_batch({IMAGE: images})[AVATAR_ONLY][:, 0])
    p_female: FloatsN = expit(np.concatenate(logits).astype(np.float64))
    return p_female


def _by_group(pictures: Pictures, p_female: FloatsN) -> dict[str, Summary]:
    gendered = (pictures.table["gender"] != "").to_numpy()
    results = {}
    for name, rows in _groups(pictures.table).items():
        if (rows & gendered).any():
            results[name] = _gendered(pictures.table, p_female, rows & gendered)
        if (rows & ~gendered).any():
            results[f"{name}, neutral"] = _neutral(p_female[rows & ~gendered])
    return results


def _groups(table: pd.DataFrame) -> dict[str, BoolsN]:
    """Return the members of each source and kind, and of each origin and age of photographed people."""
    photos = (table["kind"] == PHOTO).to_numpy()
    groups = {}
    for column, members in (("source", True), ("kind", True), ("origin", photos), ("age", photos)):
        for value in sorted({*table[column]} - {""}):
            groups[f"{column} {value}"] = (table[column] == value).to_numpy() & members
    groups["East and South-East Asian"] = photos & table["origin"].isin(ASIAN).to_numpy()
    return groups


def _gendered(table: pd.DataFrame, p_female: FloatsN, rows: BoolsN) -> Summary:
    labels, p_female = (table["gender"] == "female").to_numpy(np.float64)[rows], p_female[rows]
    wrong = (p_female >= 0.5) != (labels == 1)
    confidence = np.maximum(p_female, 1 - p_female)
    return {
        **summary(labels, p_female, identities_of(table[rows])),
        "surely_wrong": round(float((wrong & (confidence > _SURE)).mean()), 4),
        "mean_confidence": round(float(confidence.mean()), 4),
    }


def _neutral(p_female: FloatsN) -> dict[str, Any]:
    confidence = np.maximum(p_female, 1 - p_female)
    return {
        "users": len(p_female),
        "mean_p_female": round(float(p_female.mean()), 4),
        "mean_confidence": round(float(confidence.mean()), 4),
    }


if __name__ == "__main__":
    main()
