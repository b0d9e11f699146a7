"""Convert a trained Keras model to int8 ONNX and publish it as a version of the model repository.

    python -m conversion.publish --run runs/mobilenet --data runs/open.parquet --model mobilenet

Keras → ONNX → parity within 1e-4 → int8 → calibration → accuracy gate → comparison with the served version →
`model_repository/<model>/<version>/model.onnx`. Quantization measures ranges on train users, the calibration and the
threshold of `unknown` are fitted on the int8 model's answers for validation users, and both gates use test users. The
version folder is renamed into place as a whole, so no server sees
half a version. Its SHA-256 is recorded in `model_repository/SHA256SUMS` first. The measurements go to
`results/publish_<model>.json`. To serve the version, use `server.rollout`.

A version that is worse than the served one is rejected. With `--force` it is published, its report and its ONNX
metadata record that, and `server.rollout promote` rejects it without a `--force` of its own.
"""

import argparse
from pathlib import Path
from typing import Any, Final

import onnx
import pandas as pd

from genderprep import PrepMismatch, prep_digest
from genderprep.digest import METADATA_KEY
from genderprep.tensors import IMAGE_SIZE
from server.catalog import GATE, Catalog
from training.data.batches import Users
from training.data.manifest import MAX_BAD_ROWS, Manifest
from training.engine.errors import ConfigError
from training.gender.calibrate import read_calibrated
from training.gender.config import config_from
from training.gender.model import load_model
from training.report import write_report

from . import served
from .convert import HELD_OUT_USERS, convert, measure, sample_users, unseen_sources
from .errors import FAILURES
from .export import stamp
from .foreign_preprocessing import prepare, preprocessing_of
from .install import installing, new_version
from .verdict import served_file, verdict

ROOT: Final = Path(__file__).parent.parent


def publish(
    run: Path,
    manifest: Path,
    model: str,
    repository: Path,
    version: int | None = None,
    force: bool = False,
    release: Path | None = None,
) -> Path:
    """Publish `run/model.keras` and return the version folder.

    Args:
        run: A finished run of `training.gender.train`.
        manifest: Its manifest.
        model: A model of the repository.
        repository: A model repository.
        version: The version to publish; by default the next one.
        force: Publish a version that is worse than the served one.
        release: The repository of the served version, if it is another, with another preprocessing perhaps.

    Raises:
        PrepMismatch: The model was trained with another preprocessing than the one served.
        ConversionError: ONNX deviates from Keras, or int8 from fp32, or it is worse than the served version.
        CatalogError: The repository has no such model.
        ManifestError: The manifest cannot be used, or its test split is empty or lacks a label.
        FileNotFoundError: The run does not exist.
        FileExistsError: The version exists.
        ConfigError: The run is one of another command, or has one tower only.
    """
    report, catalog = read_calibrated(run), Catalog(repository)
    _check_preprocessing(report, catalog)
    if not config_from(report["config"]).is_fused:
        raise ConfigError(f"{run}: expected a model of avatar and nickname, got one tower; join both by fuse")
    folder = new_version(catalog.model(model), version)
    config = report["config"]
    users = Manifest(manifest, config.get("max_bad_rows", MAX_BAD_ROWS), config.get("label_map"))
    users.require_splits("test")
    converted = convert(load_model(run / "model.keras"), users, config["precision"])
    # Training chose its epoch and its calibration on validation, so only test is fair to the served version.
    table, held_out = sample_users(users, "test", HELD_OUT_USERS)
    comparison = _comparison(Catalog(release) if release else catalog, model, converted.int8, table, held_out)
    gate = verdict(comparison, force, f"{len(held_out)} users")
    measured = {"comparison": comparison, **measure(converted, table, held_out, unseen_sources(users, table))}
    metadata = {METADATA_KEY: prep_digest(), "backbone": config["backbone"], "trained": report["date"]}
    stamp(converted.int8, {**metadata, GATE: gate})
    with installing(folder) as staging:
        onnx.save(converted.int8, staging / "model.onnx")
    write_report(
        repository.parent / "results" / f"publish_{model}.json",
        version=int(folder.name),
        gate=gate,
        training=report,
        **measured,
    )
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="output folder of training.gender.train")
    parser.add_argument("--data", type=Path, required=True, help="manifest for calibration and both gates")
    parser.add_argument("--model", required=True, help="model of the repository, such as mobilenet")
    parser.add_argument("--repository", type=Path, default=ROOT / "model_repository")
    parser.add_argument("--version", type=int, help="default: the next free one")
    parser.add_argument("--release", type=Path, help="repository of the served version; default: --repository")
    parser.add_argument("--force", action="store_true", help="publish a version that is worse than the served one")
    args = parser.parse_args()
    try:
        print(publish(args.run, args.data, args.model, args.repository, args.version, args.force, args.release))
    except FAILURES as exc:
        raise SystemExit(f"publish: {exc}") from exc


def _check_preprocessing(report: dict[str, Any], catalog: Catalog) -> None:
    size = report["config"].get("image_size", IMAGE_SIZE)
    if size != IMAGE_SIZE:
        raise PrepMismatch(f"expected a model for {IMAGE_SIZE} pixels, got one trained at {size}; retrain it")
    expected, preprocess = prep_digest(), catalog.model("preprocess")
    if expected not in {preprocess.parameter(key) for key in preprocess.config.parameters}:
        raise PrepMismatch(
            f'{preprocess.folder}/config.pbtxt lacks this preprocessing; set a {METADATA_KEY}_<version> to "{expected}"'
        )


def _comparison(
    catalog: Catalog, model: str, int8: onnx.ModelProto, table: pd.DataFrame, users: Users
) -> dict[str, Any] | None:
    """Compare with the version that the model's ensemble serves; None before the first version."""
    file = served_file(catalog, model)
    if file is None:
        return None
    old = served.Prepared(str(file), prepare(table, preprocessing_of(catalog, model)))
    new = served.Prepared(int8.SerializeToString(), users.inputs(old.inputs))
    return {"version": int(file.parent.name), **served.compare(old, new, users.female[:, 0])}


if __name__ == "__main__":
    main()
