"""Convert a trained model to calibrated int8 ONNX, and measure it on held-out users."""

from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import onnx
import pandas as pd

from genderprep.tensors import IMAGE, IMAGE_SIZE, PRESENT, PROBABILITIES, TOKENS
from training.arrays import BoolsN, FloatsN1, FloatsN2
from training.data.batches import Users
from training.data.manifest import Manifest
from training.data.stream import sample
from training.evaluation.metrics import threshold_for
from training.evaluation.platt import PlattScaling, fit_platt
from training.gender.model import serving_model

from .export import set_calibration, to_onnx
from .gate import check_int8, measure_test
from .parity import check_parity, run_onnx
from .quantize import to_int8

# Train users that show the ranges of activations.
QUANTIZATION_USERS: Final = 512
# Validation users that the calibration is fitted on. Few have one modality only, and each offset is of theirs alone.
# 0.6 GB of pixels.
CALIBRATION_USERS: Final = 12_000
# At most this many test users are in memory, with 0.2 GB of pixels.
HELD_OUT_USERS: Final = 4000


@dataclass(frozen=True)
class Converted:
    """Both precisions of a model, each calibrated on its own answers for validation users.

    Args:
        scaling: The calibration of `int8`.
        unknown_below: The threshold of `unknown` for `int8`.
        parity: The largest difference between the probabilities of Keras and `fp32`.
    """

    fp32: onnx.ModelProto
    int8: onnx.ModelProto
    scaling: PlattScaling
    unknown_below: float
    parity: float


def convert(trained: keras.Model, manifest: Manifest, precision: float) -> Converted:
    """Export, quantize and calibrate a fused model.

    Quantization measures ranges on train users. Calibration follows it, because rounding shifts the logits.

    Args:
        trained: A model of `training.gender.model.build_fused_model`.
        manifest: Users with the splits train and validation.
        precision: Share of the decided validation users that must be correct.

    Raises:
        ConversionError: ONNX deviates from Keras.
        ManifestError: The manifest cannot be used, or a split is empty.
    """
    model = serving_model(trained, PlattScaling())
    _, seen = sample_users(manifest, "train", QUANTIZATION_USERS)
    _, users = sample_users(manifest, "validation", CALIBRATION_USERS)
    inputs, prior_female = seen.inputs(model.input), manifest.stats.prior_female
    fp32 = to_onnx(model)
    expected = model.predict(inputs, batch_size=64, verbose=0)
    parity = check_parity(expected, run_onnx(fp32.SerializeToString(), inputs), PROBABILITIES)
    int8 = to_int8(fp32, inputs)
    calibrate(fp32, users, prior_female)
    scaling = calibrate(int8, users, prior_female)
    p_female = run_onnx(int8.SerializeToString(), users.inputs(model.input))[PROBABILITIES][:, 1]
    unknown_below = threshold_for(precision, users.female[:, 0], p_female, users.present.any(axis=1))
    return Converted(fp32, int8, scaling, unknown_below, parity)


def calibrate(model: onnx.ModelProto, users: Users, prior_female: float) -> PlattScaling:
    """Fit the calibration of an uncalibrated model on its own answers, and write it into the graph."""
    probabilities = run_onnx(model.SerializeToString(), users.inputs((IMAGE, TOKENS, PRESENT)))[PROBABILITIES]
    scaling = fit_platt(_logits(probabilities), users.present, users.p_female, prior_female)
    set_calibration(model, scaling.lines)
    return scaling


def measure(converted: Converted, table: pd.DataFrame, users: Users, unseen_source: BoolsN) -> dict[str, Any]:
    """Return what is measured on held-out `users`, who are the rows of `table`.

    Args:
        converted: A converted model.
        table: Rows of the manifest.
        users: The same rows, prepared.
        unseen_source: Which of them have a source of which `convert` had no users.

    Raises:
        ConversionError: int8 deviates too far from fp32.
    """
    inputs = users.inputs((IMAGE, TOKENS, PRESENT))
    fp32, int8 = (
        run_onnx(model.SerializeToString(), inputs)[PROBABILITIES][:, 1] for model in (converted.fp32, converted.int8)
    )
    return {
        "scaling": converted.scaling,
        "parity_max_difference": converted.parity,
        **check_int8(users, fp32, int8, converted.unknown_below, unseen_source),
        "fp32_bytes": converted.fp32.ByteSize(),
        "int8_bytes": converted.int8.ByteSize(),
        **measure_test(table, users, int8, converted.unknown_below),
    }


def unseen_sources(manifest: Manifest, table: pd.DataFrame) -> BoolsN:
    """Return which rows of `table` have a source without train and validation rows in the manifest."""
    seen: set[str] = set()
    for split in ("train", "validation"):
        for rows in manifest.tables(split, columns=("source",)):
            seen |= {*rows["source"]}
    return (~table["source"].isin(seen)).to_numpy()


def sample_users(manifest: Manifest, split: str, count: int) -> tuple[pd.DataFrame, Users]:
    """Return at most `count` users of a split, and their rows."""
    return sample(manifest, split, count, (IMAGE, TOKENS, PRESENT), IMAGE_SIZE, seed=0)


def _logits(probabilities: FloatsN2) -> FloatsN1:
    male, female = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)).T
    logits: FloatsN1 = (female - male)[:, None]
    return logits
