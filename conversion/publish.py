"""A trained Keras model into the model repository, as an int8 ONNX version.

    python -m conversion.publish --run runs/mobilenet --data runs/data/manifest.csv --model mobilenet

Keras → ONNX → parity within 1e-4 → int8 → accuracy gate → `model_repository/<model>/<version>/model.onnx`,
renamed into place as a whole folder, so that no server ever sees half a version; `server.rollout` has
it served. Its SHA-256 goes to `model_repository/SHA256SUMS` before that, and what was measured to
`results/publish_<model>.json`.
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import pandas as pd
from numpy.typing import NDArray

from genderprep import PrepMismatch, check_probes, prep_digest
from genderprep.digest import METADATA_KEY
from genderprep.tensors import IMAGE, IMAGE_SIZE, PRESENT, PROBABILITIES, TOKENS
from server.checksums import record
from training.data.batches import Users
from training.data.manifest import MAX_BAD_ROWS, SPLITS, Manifest, ManifestError
from training.data.stream import sample
from training.evaluation.metrics import UNKNOWN, decisions, summary
from training.evaluation.platt import PlattScaling
from training.evaluation.slices import by_slice
from training.gender.model import load_model, serving_model
from training.report import read_run, write_report

from .export import stamp, to_onnx
from .parity import NotEqual, answer, check_parity
from .quantize import to_int8

ROOT: Final = Path(__file__).parent.parent
CALIBRATION_USERS: Final = 512
# Of validation and test each, at most so many measure the gate: some 0.5 GB of pixels.
HELD_OUT_USERS: Final = 10_000
# An int8 model may lose at most this share of accuracy, and change at most this share of decisions.
MAX_ACCURACY_LOSS: Final = 0.003
MAX_FLIPS: Final = 0.01


def publish(run: Path, manifest: Path, model: str, repository: Path, version: int | None = None) -> Path:
    """Publish `run/model.keras`; returns the version folder.

    Raises:
        PrepMismatch: the model was trained with another preprocessing than this code's.
        NotEqual: ONNX and Keras, or int8 and fp32, answer too differently.
        FileExistsError: that version is there already.
    """
    report = read_run(run)
    _check_preprocessing(report, repository)
    folder = _version_folder(repository / model, version)
    users = Manifest(manifest, report["config"].get("max_bad_rows", MAX_BAD_ROWS))
    converted, measured = _convert(run / "model.keras", report, users)
    stamp(converted, {METADATA_KEY: prep_digest(), "backbone": report["config"]["backbone"], "trained": report["date"]})
    _place(converted, folder)
    write_report(
        repository.parent / "results" / f"publish_{model}.json", version=int(folder.name), training=report, **measured
    )
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="output folder of training.gender.train")
    parser.add_argument("--data", type=Path, required=True, help="manifest: calibrates int8 and gates it")
    parser.add_argument("--model", required=True, choices=("densenet", "mobilenet"))
    parser.add_argument("--repository", type=Path, default=ROOT / "model_repository")
    parser.add_argument("--version", type=int, help="default: the next free one")
    args = parser.parse_args()
    try:
        print(publish(args.run, args.data, args.model, args.repository, args.version))
    except (PrepMismatch, NotEqual, ManifestError, FileNotFoundError, FileExistsError) as exc:
        raise SystemExit(f"publish: {exc}") from exc


def _check_preprocessing(report: dict[str, Any], repository: Path) -> None:
    check_probes()
    expected = prep_digest()
    size = report["config"].get("image_size", IMAGE_SIZE)
    if size != IMAGE_SIZE:
        raise PrepMismatch(f"the model was trained at {size} pixels, {IMAGE_SIZE} are served; train it again")
    if report[METADATA_KEY] != expected:
        raise PrepMismatch(
            f"the model was trained with preprocessing {report[METADATA_KEY][:12]}, this code is {expected[:12]}; "
            "train it again"
        )
    config = repository / "preprocess" / "config.pbtxt"
    if expected not in config.read_text(encoding="utf-8"):
        raise PrepMismatch(f'{config} knows no such preprocessing; a {METADATA_KEY}_<version> must be "{expected}"')


def _version_folder(model: Path, version: int | None) -> Path:
    if not (model / "config.pbtxt").is_file():
        raise FileNotFoundError(f"{model} is not a model of the repository: no config.pbtxt")
    taken = [int(folder.name) for folder in model.iterdir() if folder.name.isdigit()]
    folder = model / str(version if version is not None else max(taken, default=0) + 1)
    if folder.exists():
        raise FileExistsError(f"{folder} exists; a published version is never changed, give another --version")
    return folder


def _sample(manifest: Manifest, count: int, *splits: str) -> tuple[pd.DataFrame, Users]:
    """At most `count` users of each split, and their rows."""
    inputs = (IMAGE, TOKENS, PRESENT)
    found = [sample(manifest, split, count, inputs, IMAGE_SIZE, seed=0) for split in splits]
    return pd.concat([table for table, _ in found]), Users.concatenate([users for _, users in found])


def _convert(file: Path, report: dict[str, Any], manifest: Manifest) -> tuple[onnx.ModelProto, dict[str, Any]]:
    model = serving_model(load_model(file), PlattScaling(**report["scaling"]))
    held_out, users = _sample(manifest, HELD_OUT_USERS, *(split for split in SPLITS[1:] if manifest.stats.rows[split]))
    inputs = users.inputs(model.input)
    fp32 = to_onnx(model)
    fp32_answers = answer(fp32.SerializeToString(), inputs)
    parity = check_parity(model.predict(inputs, batch_size=64, verbose=0), fp32_answers)
    _, calibration = _sample(manifest, CALIBRATION_USERS, "train")
    int8 = to_int8(fp32, calibration.inputs(model.input))
    female = answer(int8.SerializeToString(), inputs)[PROBABILITIES][:, 1]
    gate = _gate(users, fp32_answers[PROBABILITIES][:, 1], female, report["unknown_below"])
    sizes = {"fp32_bytes": fp32.ByteSize(), "int8_bytes": int8.ByteSize()}
    test = (held_out["split"] == "test").to_numpy()
    measured = {
        "unknown_below": report["unknown_below"],
        "int8_test_decided": _decided(users.rows(test), female[test], report["unknown_below"]),
        "int8_test": by_slice(held_out[test], users.rows(test), female[test]),
    }
    return int8, {"parity_max_difference": parity, **gate, **sizes, **measured}


def _decided(users: Users, female: NDArray[Any], unknown_below: float) -> dict[str, Any]:
    """Which share of the users the client decides, and how good it is among these, if there are any."""
    sure = decisions(female, users.present.any(axis=1), unknown_below) != UNKNOWN
    found = summary(users.female[sure, 0], female[sure]) if sure.any() else None
    return {"share": round(float(sure.mean()), 4), "summary": found}


def _gate(users: Users, fp32: NDArray[Any], int8: NDArray[Any], unknown_below: float) -> dict[str, Any]:
    """Refuse an int8 model that decides otherwise than the fp32 one too often.

    A decision is what the client says: male, female or unknown. Of users whom nobody can tell, whose probability is
    near one half by right, the smallest change turns the likelier gender; how many is reported, too.
    """
    shown, labels = users.present.any(axis=1), users.female[:, 0]
    flips = float(np.mean(decisions(fp32, shown, unknown_below) != decisions(int8, shown, unknown_below)))
    before, after = summary(labels, fp32), summary(labels, int8)
    likelier = float(np.mean((fp32 >= 0.5) != (int8 >= 0.5)))
    loss = before["accuracy"] - after["accuracy"]
    if loss > MAX_ACCURACY_LOSS or flips > MAX_FLIPS:
        raise NotEqual(
            f"int8 loses {loss:.2%} accuracy and flips {flips:.2%} of the decisions; "
            f"at most {MAX_ACCURACY_LOSS:.1%} and {MAX_FLIPS:.0%} are allowed"
        )
    return {
        "fp32_held_out": before,
        "int8_held_out": after,
        "int8_flips": round(flips, 4),
        "int8_likelier_changed": round(likelier, 4),
    }


def _place(model: onnx.ModelProto, folder: Path) -> None:
    staging = Path(tempfile.mkdtemp(prefix=".publish-", dir=folder.parent))
    try:
        onnx.save(model, staging / "model.onnx")
        staging.chmod(0o755)
        record(staging / "model.onnx", folder / "model.onnx", folder.parent.parent)
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


if __name__ == "__main__":
    main()
