"""Convert a trained Keras model to int8 ONNX and publish it as a version of the model repository.

    python -m conversion.publish --run runs/mobilenet --data runs/data/manifest.csv --model mobilenet

Keras → ONNX → parity within 1e-4 → int8 → accuracy gate → comparison with the served version →
`model_repository/<model>/<version>/model.onnx`. The version folder is renamed into place as a whole, so no server sees
half a version. Its SHA-256 is recorded in `model_repository/SHA256SUMS` first. The measurements go to
`results/publish_<model>.json`. To serve the version, use `server.rollout`.

A version that is worse than the served one is rejected. With `--force` it is published, its report and its ONNX
metadata record that, and `server.rollout promote` rejects it without a `--force` of its own.
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import onnx
import pandas as pd

from genderprep import PrepMismatch, check_probes, prep_digest
from genderprep.digest import METADATA_KEY
from genderprep.tensors import IMAGE, IMAGE_SIZE, PRESENT, PROBABILITIES, TOKENS
from server.catalog import FORCED, GATE, Catalog, CatalogError, Model
from server.checksums import record
from training.data.batches import Users
from training.data.manifest import MAX_BAD_ROWS, SPLITS, Manifest, ManifestError
from training.data.stream import sample
from training.evaluation.platt import PlattScaling
from training.gender.model import load_model, serving_model
from training.report import read_run, write_report

from . import served
from .export import stamp, to_onnx
from .gate import check_int8, measure_test
from .parity import ConversionError, check_parity, run_onnx
from .quantize import to_int8

ROOT: Final = Path(__file__).parent.parent
CALIBRATION_USERS: Final = 512
# The gate uses at most this many users of validation and of test: about 0.5 GB of pixels.
HELD_OUT_USERS: Final = 10_000


def publish(
    run: Path, manifest: Path, model: str, repository: Path, version: int | None = None, force: bool = False
) -> Path:
    """Publish `run/model.keras` and return the version folder.

    Args:
        run: A finished run of `training.gender.train`.
        manifest: Its manifest.
        model: A model of the repository.
        repository: A model repository.
        version: The version to publish; by default the next one.
        force: Publish a version that is worse than the served one.

    Raises:
        PrepMismatch: The model was trained with another preprocessing than the one served.
        ConversionError: ONNX deviates from Keras, or int8 from fp32, or it is worse than the served version.
        CatalogError: The repository has no such model.
        FileNotFoundError: The run does not exist.
        FileExistsError: The version exists.
    """
    report, catalog = read_run(run), Catalog(repository)
    _check_preprocessing(report, catalog)
    folder = _version_folder(catalog.model(model), version)
    config = report["config"]
    users = Manifest(manifest, config.get("max_bad_rows", MAX_BAD_ROWS), config.get("label_map"))
    converted, measured = _convert(run / "model.keras", report, users, _served(catalog, model))
    verdict = _verdict(measured["comparison"], force)
    metadata = {METADATA_KEY: prep_digest(), "backbone": config["backbone"], "trained": report["date"]}
    stamp(converted, {**metadata, GATE: verdict})
    _install(converted, folder)
    write_report(
        repository.parent / "results" / f"publish_{model}.json",
        version=int(folder.name),
        gate=verdict,
        training=report,
        **measured,
    )
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="output folder of training.gender.train")
    parser.add_argument("--data", type=Path, required=True, help="manifest that calibrates int8 and evaluates the gate")
    parser.add_argument("--model", required=True, help="model of the repository, such as mobilenet")
    parser.add_argument("--repository", type=Path, default=ROOT / "model_repository")
    parser.add_argument("--version", type=int, help="default: the next free one")
    parser.add_argument("--force", action="store_true", help="publish a version that is worse than the served one")
    args = parser.parse_args()
    try:
        print(publish(args.run, args.data, args.model, args.repository, args.version, args.force))
    except (PrepMismatch, ConversionError, CatalogError, ManifestError, FileNotFoundError, FileExistsError) as exc:
        raise SystemExit(f"publish: {exc}") from exc


def _check_preprocessing(report: dict[str, Any], catalog: Catalog) -> None:
    check_probes()
    expected = prep_digest()
    size = report["config"].get("image_size", IMAGE_SIZE)
    if size != IMAGE_SIZE:
        raise PrepMismatch(f"expected a model for {IMAGE_SIZE} pixels, got one trained at {size}; retrain it")
    if report[METADATA_KEY] != expected:
        raise PrepMismatch(
            f"expected a model trained with preprocessing {expected[:12]}, got {report[METADATA_KEY][:12]}; retrain it"
        )
    preprocess = catalog.model("preprocess")
    if expected not in {preprocess.parameter(key) for key in preprocess.config.parameters}:
        raise PrepMismatch(
            f'{preprocess.folder}/config.pbtxt lacks this preprocessing; set a {METADATA_KEY}_<version> to "{expected}"'
        )


def _version_folder(model: Model, version: int | None) -> Path:
    folder = model.folder / str(version if version is not None else max(model.versions, default=0) + 1)
    if folder.exists():
        raise FileExistsError(f"{folder} exists and published versions are immutable; choose another --version")
    return folder


def _served(catalog: Catalog, model: str) -> Path | None:
    """Return the ONNX file that the model's ensemble serves; None before the first version."""
    is_served = model in catalog.backbones() and (
        catalog.ensemble(model).steps[model] > 0 or catalog.model(model).versions
    )
    return catalog.served_onnx(model) if is_served else None


def _verdict(comparison: dict[str, Any] | None, force: bool) -> str:
    if comparison is None:
        return "first version"
    if force and comparison["regressions"]:
        return FORCED
    served.check(comparison)
    return "passed"


def _sample(manifest: Manifest, count: int, *splits: str) -> tuple[pd.DataFrame, Users]:
    """Return at most `count` users of each split, and their rows."""
    inputs = (IMAGE, TOKENS, PRESENT)
    samples = [sample(manifest, split, count, inputs, IMAGE_SIZE, seed=0) for split in splits]
    return pd.concat([table for table, _ in samples]), Users.concatenate([users for _, users in samples])


def _convert(
    file: Path, report: dict[str, Any], manifest: Manifest, served_file: Path | None
) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """Return the int8 model and what was measured on the way."""
    model = serving_model(load_model(file), PlattScaling(**report["scaling"]))
    held_out, users = _sample(manifest, HELD_OUT_USERS, *(split for split in SPLITS[1:] if manifest.stats.rows[split]))
    inputs, unknown_below = users.inputs(model.input), report["unknown_below"]
    fp32 = to_onnx(model)
    fp32_outputs = run_onnx(fp32.SerializeToString(), inputs)
    parity = check_parity(model.predict(inputs, batch_size=64, verbose=0), fp32_outputs)
    _, calibration = _sample(manifest, CALIBRATION_USERS, "train")
    int8 = to_int8(fp32, calibration.inputs(model.input))
    p_female = run_onnx(int8.SerializeToString(), inputs)[PROBABILITIES][:, 1]
    # Training chose its epoch and its calibration on validation, so only test is fair to the served version.
    test = (held_out["split"] == "test").to_numpy()
    rows = test if test.any() else ~test
    compared = (users.rows(rows), p_female[rows], prep_digest())
    return int8, {
        "comparison": served.compare(served_file, int8.SerializeToString(), *compared) if served_file else None,
        "parity_max_difference": parity,
        **check_int8(users, fp32_outputs[PROBABILITIES][:, 1], p_female, unknown_below),
        "fp32_bytes": fp32.ByteSize(),
        "int8_bytes": int8.ByteSize(),
        **measure_test(held_out, users, p_female, unknown_below),
    }


def _install(model: onnx.ModelProto, folder: Path) -> None:
    """Write the version to a staging folder, record its checksum, and rename the folder into place."""
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
