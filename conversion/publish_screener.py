r"""Convert the two networks of a trained screener to int8 ONNX and publish them as a version of `screener`.

    python -m conversion.publish_screener --run runs/screener --data runs/defects/defects.csv runs/photos/defects.csv \
        --good runs/gallery_cards/cards.csv

Keras → ONNX → parity within 1e-4 → int8 → limits → gates → `screener/<version>/model.onnx`. Quantization measures
ranges on train pictures. On validation pictures, the limits of the attributes are tuned for int8: they find as many
pictures as possible at `--precision`, if a share of `--prevalence` has the attribute. Pictures of `--good` join them as
ones that have none. The gates use test pictures: int8 must decide as fp32, and the version must not be worse than the
served one. With `--force` it is published nevertheless; report and metadata record that, and `server.rollout promote`
then needs a `--force` of its own.

The measurements go to `results/publish_screener.json`. To serve the version, use `server.rollout canary screen`.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import onnx
import pandas as pd
from scipy.special import expit

from genderprep import prep_digest
from genderprep.digest import METADATA_KEY
from genderprep.tensors import IMAGE, IMAGE_SIZE
from server.catalog import GATE, SCREEN, Catalog
from training.arrays import Arrays, FloatsND, ImagesNSS3
from training.curation.pictures import UNKNOWN, LabeledPictures, join_pictures, read_labeled_pictures
from training.data.bad_rows import ManifestError
from training.pretrain.pictures import Pictures, read_pictures
from training.report import read_run, write_report
from training.trained_with import check_preprocessing

from .errors import FAILURES, ConversionError
from .export import stamp, to_onnx
from .install import installing, new_version
from .parity import check_parity, run_onnx
from .quantize import to_int8
from .screener_gate import check_int8, measure, regressions
from .screener_limits import PRECISION, PREVALENCE, REFUSING, tune_limits
from .screener_model import CASCADED, FIRST, SECOND, serving_model, with_verdict
from .screening import ATTRIBUTES_KEY, LIMITS_KEY, SCREENER, Screener
from .verdict import served_file, verdict

ROOT: Final = Path(__file__).parent.parent
# Train pictures that show the ranges of activations.
QUANTIZATION_PICTURES: Final = 512

# Probabilities of both networks, [N, A] and [N, 1].
Probabilities = tuple[FloatsND, FloatsND]


def publish_screener(
    run: Path,
    manifests: Sequence[Path],
    repository: Path,
    *,
    good: Path | None = None,
    refusing: Sequence[str] = REFUSING,
    precision: float = PRECISION,
    prevalence: float = PREVALENCE,
    version: int | None = None,
    force: bool = False,
) -> Path:
    """Publish `run/first.keras` and `run/second.keras` and return the version folder.

    Args:
        run: A finished run of `training.curation.train`.
        manifests: Pictures with a column for each attribute, and the splits train, validation and test. The test
            pictures of each are also measured alone.
        repository: A model repository.
        good: A manifest of pictures that shall not be refused; the limits are tuned on them, too.
        refusing: The attributes that refuse a picture; `unsuitable` is one.
        precision: The share of refusals that shall be right.
        prevalence: The share of pictures that have an attribute.
        version: The version to publish; by default the next one.
        force: Publish a version that is worse than the served one.

    Raises:
        PrepMismatch: The networks were trained with another preprocessing, or this machine decodes pictures
            differently.
        ConversionError: ONNX deviates from Keras, or int8 from fp32, or it is worse than the served version; or
            `refusing` lacks `unsuitable` or names an unknown attribute.
        CatalogError: The repository has no screener.
        ManifestError: The manifest cannot be used.
        FileNotFoundError: The run does not exist.
        FileExistsError: The version exists.
    """
    report, catalog = read_run(run), Catalog(repository)
    check_preprocessing(report)
    attributes: list[str] = report["attributes"]
    folder = new_version(catalog.model(SCREENER), version)
    pictures = _read(manifests, attributes)
    if not {CASCADED} <= {*refusing} <= {*attributes}:
        raise ConversionError(f"expected {CASCADED} and others of {', '.join(attributes)} to refuse a picture")
    train, validation, test = (_split(pictures, name) for name in ("train", "validation", "test"))
    if good:
        validation = _with_good(validation, read_pictures(good, IMAGE_SIZE), refusing)
    networks = [keras.saving.load_model(run / f"{name}.keras", compile=False) for name in ("first", "second")]
    evenly = np.linspace(0, len(train) - 1, QUANTIZATION_PICTURES).round().astype(int)
    fp32, int8, parity = convert(serving_model(*networks), train.pixels[evenly])
    tuned_on = run_networks(int8, validation.pixels)
    limits = tune_limits(attributes, *tuned_on, validation.labels, refusing, precision, prevalence)
    exact, served = (run_networks(each, test.pixels) for each in (fp32, int8))
    closeness = check_int8(attributes, limits, exact, served, test.labels)
    judge = partial(measure, attributes, limits, prevalence=prevalence)
    measured = judge(*served, test.labels)
    by_manifest = {
        name: judge(served[0][rows], served[1][rows], test.labels[rows])
        for name, rows in test.table.groupby("manifest", sort=False).indices.items()
    }
    comparison = _comparison(catalog, test, prevalence, measured)
    gate = verdict(comparison, force, f"{len(test)} pictures")
    model = with_verdict(int8, attributes, limits)
    stated = {ATTRIBUTES_KEY: json.dumps(attributes), LIMITS_KEY: json.dumps(asdict(limits)), GATE: gate}
    stamp(model, {METADATA_KEY: prep_digest(), "trained": report["date"], **stated})
    with installing(folder) as staging:
        onnx.save(model, staging / "model.onnx")
    write_report(
        repository.parent / "results" / f"publish_{SCREENER}.json",
        version=int(folder.name),
        gate=gate,
        training=report,
        limits=limits,
        tuned_for={"precision": precision, "prevalence": prevalence, "pictures": len(validation)},
        parity_max_difference=parity,
        comparison=comparison,
        **closeness,
        **measured,
        by_manifest=by_manifest,
        sizes={"fp32_bytes": fp32.ByteSize(), "int8_bytes": model.ByteSize()},
    )
    return folder


def convert(model: keras.Model, seen: ImagesNSS3) -> tuple[onnx.ModelProto, onnx.ModelProto, float]:
    """Return the networks in fp32 and in int8, both with logits, and the largest difference between fp32 and Keras.

    Args:
        model: A model of `serving_model`.
        seen: Pictures that show the ranges of activations.

    Raises:
        ConversionError: ONNX deviates from Keras.
    """
    inputs: Arrays = {IMAGE: seen}
    fp32 = to_onnx(model)
    expected = _probabilities(model.predict(inputs, batch_size=64, verbose=0))
    actual = _probabilities(run_onnx(fp32.SerializeToString(), inputs))
    parity = check_parity(expected, actual, FIRST, SECOND)
    return fp32, to_int8(fp32, inputs), parity


def _probabilities(logits: Arrays) -> Arrays:
    return {name: expit(logits[name]) for name in (FIRST, SECOND)}


def run_networks(model: onnx.ModelProto, pixels: ImagesNSS3) -> Probabilities:
    """Run a model with logits on pictures."""
    logits = run_onnx(model.SerializeToString(), {IMAGE: pixels})
    return expit(logits[FIRST]), expit(logits[SECOND])


def _with_good(pictures: LabeledPictures, good: Pictures, refusing: Sequence[str]) -> LabeledPictures:
    """Append pictures of which is known only that they have no refusing attribute."""
    labels = np.full((len(good), len(pictures.attributes)), UNKNOWN, np.int8)
    labels[:, [pictures.attributes.index(name) for name in refusing]] = 0
    return LabeledPictures(
        np.concatenate([pictures.pixels, good.pixels]),
        np.concatenate([pictures.labels, labels]),
        pictures.attributes,
        pd.concat([pictures.table, good.table], ignore_index=True),
    )


def _read(manifests: Sequence[Path], attributes: list[str]) -> LabeledPictures:
    """Return the pictures of all manifests; the column `manifest` is the name of the folder of theirs."""
    parts = []
    for manifest in manifests:
        part = read_labeled_pictures(manifest, IMAGE_SIZE)
        parts.append(replace(part, table=part.table.assign(manifest=manifest.parent.name)))
    known = parts[0].attributes
    if list(known) != attributes:
        raise ConversionError(f"expected networks for {', '.join(known)}, got {', '.join(attributes)}")
    return join_pictures(parts)


def _split(pictures: LabeledPictures, name: str) -> LabeledPictures:
    split = pictures.split(name)
    if not len(split):
        manifests = ", ".join(pictures.table["manifest"].unique())
        raise ManifestError(f"{manifests}: expected pictures of the split {name}, got none")
    return split


def _comparison(
    catalog: Catalog, test: LabeledPictures, prevalence: float, measured: dict[str, Any]
) -> dict[str, Any] | None:
    """Compare with the version that the ensemble serves; None before the first version."""
    file = served_file(catalog, SCREENER, SCREEN)
    if file is None:
        return None
    old = Screener(file)
    if old.attributes != list(test.attributes):
        return {"version": int(file.parent.name), "regressions": ["other attributes"]}
    before = measure(old.attributes, old.limits, *old.probabilities(test.pixels), test.labels, prevalence)
    return {"version": int(file.parent.name), "served": before, "regressions": regressions(before, measured)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="output folder of training.curation.train")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="its manifests")
    parser.add_argument("--good", type=Path, help="manifest of pictures that shall not be refused")
    parser.add_argument("--refuse", nargs="+", default=REFUSING, metavar="ATTRIBUTE", help="what refuses a picture")
    parser.add_argument("--precision", type=float, default=PRECISION, help="share of refusals that shall be right")
    parser.add_argument("--prevalence", type=float, default=PREVALENCE, help="share of pictures with an attribute")
    parser.add_argument("--repository", type=Path, default=ROOT / "model_repository")
    parser.add_argument("--version", type=int, help="default: the next free one")
    parser.add_argument("--force", action="store_true", help="publish a version that is worse than the served one")
    args = parser.parse_args()
    try:
        folder = publish_screener(
            args.run,
            args.data,
            args.repository,
            good=args.good,
            refusing=args.refuse,
            precision=args.precision,
            prevalence=args.prevalence,
            version=args.version,
            force=args.force,
        )
    except FAILURES as exc:
        raise SystemExit(f"publish_screener: {exc}") from exc
    print(folder)


if __name__ == "__main__":
    main()
