r"""Convert a trained dual encoder to int8 ONNX and publish it as a version of `picture_encoder`.

    python -m conversion.publish_encoder --run runs/dual_encoder --data runs/pictures/pictures.csv \
        --held-out runs/cards_test/cards.csv

Whitening, fitted on train pictures → Keras → ONNX → parity within 1e-4 → int8 → gate → comparison with the served
version → `picture_encoder/<version>/model.onnx`. Quantization measures ranges on train pictures, the gate compares int8
with fp32 on test pictures, and the comparison uses the pictures of `--held-out`. The metadata states the encoder's
digest, to which galleries and rankers are bound. The measurements go to `results/publish_picture_encoder.json`. To
serve the version, publish a gallery of its vectors, then use `server.rollout`.

A version whose neighbors are worse than the served version's is rejected. With `--force` it is published, and its
report and its ONNX metadata record that.
"""

import argparse
import hashlib
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import onnx

from genderprep import prep_digest
from genderprep.digest import METADATA_KEY
from genderprep.tensors import IMAGE, IMAGE_SIZE, PRESENT, TOKENS
from picturegallery.files import ENCODER_DIGEST
from picturegallery.tensors import TITLE_VECTOR, VECTOR
from server.catalog import EMBED, GATE, Catalog
from training.arrays import Arrays
from training.data.bad_rows import ManifestError
from training.pretrain.pictures import Pictures, read_pictures
from training.pretrain.whitening import Whitening
from training.report import read_run, write_report
from training.trained_with import check_preprocessing

from .encoder_gate import check_int8, compare_with_served
from .encoder_model import serving_model
from .errors import FAILURES
from .export import stamp, to_onnx
from .install import installing, new_version
from .parity import check_parity, run_onnx
from .publish_gallery import ENCODER
from .quantize import to_int8
from .verdict import served_file, verdict

ROOT: Final = Path(__file__).parent.parent
# Train pictures that show the ranges of activations, and test pictures of the gate.
QUANTIZATION_PICTURES: Final = 512
GATE_PICTURES: Final = 2000


def publish_encoder(
    run: Path,
    manifest: Path,
    repository: Path,
    version: int | None = None,
    held_out: Path | None = None,
    force: bool = False,
    release: Path | None = None,
    whiten: bool = True,
) -> Path:
    """Publish `run/model.keras` and return the version folder.

    Args:
        run: A finished run of `training.pretrain.run` with the method `dual_encoder`.
        manifest: Its manifest.
        repository: A model repository.
        version: The version to publish; by default the next one.
        held_out: A manifest of pictures that neither this version nor the served one has seen; by default the test
            split of `manifest`.
        force: Publish a version that is worse than the served one.
        release: The repository of the served version, if it is another.
        whiten: Whether the vectors are whitened. Those of an encoder that spreads its pictures evenly need not be.

    Raises:
        PrepMismatch: The encoder was trained with another preprocessing, or this machine decodes pictures differently.
        ConversionError: ONNX deviates from Keras, or int8 from fp32, or it is worse than the served version.
        CatalogError: The repository has no picture encoder.
        ManifestError: The manifest cannot be used.
        FileNotFoundError: The run does not exist.
        FileExistsError: The version exists.
    """
    report, catalog = read_run(run), Catalog(repository)
    check_preprocessing(report)
    folder = new_version(catalog.model(ENCODER), version)
    pictures = read_pictures(manifest, IMAGE_SIZE)
    if missing := [split for split in ("train", "test") if not len(pictures.split(split))]:
        raise ManifestError(f"{manifest}: expected pictures of the split {missing[0]}, got none")
    trained = keras.saving.load_model(run / "model.keras", compile=False)
    whitening = fit_whitening(trained, pictures.split("train")) if whiten else no_whitening(trained)
    int8, measured = convert_encoder(serving_model(trained, whitening), pictures)
    compared = read_pictures(held_out, IMAGE_SIZE) if held_out else pictures.split("test")
    comparison = _comparison(Catalog(release) if release else catalog, int8, compared)
    gate = verdict(comparison, force, f"{len(compared)} pictures")
    digest = hashlib.sha256(int8.SerializeToString(deterministic=True)).hexdigest()
    stamp(int8, {METADATA_KEY: prep_digest(), ENCODER_DIGEST: digest, "trained": report["date"], GATE: gate})
    with installing(folder) as staging:
        onnx.save(int8, staging / "model.onnx")
    write_report(
        repository.parent / "results" / f"publish_{ENCODER}.json",
        version=int(folder.name),
        encoder_digest=digest,
        gate=gate,
        whitened=whiten,
        comparison=comparison,
        training=report,
        **measured,
    )
    return folder


def fit_whitening(trained: keras.Model, pictures: Pictures) -> Whitening:
    """Fit the whitening of an encoder's vectors on pictures of `IMAGE_SIZE` pixels."""
    unchanged = to_onnx(serving_model(trained, no_whitening(trained)))
    return Whitening.fit(run_onnx(unchanged.SerializeToString(), encoder_inputs(pictures))[VECTOR])


def no_whitening(trained: keras.Model) -> Whitening:
    """Return the whitening that changes nothing."""
    dims = trained.get_layer("picture_tower").output.shape[1]
    return Whitening(np.zeros(dims), np.eye(dims))


def convert_encoder(model: keras.Model, pictures: Pictures) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """Export and quantize a serving model; return it in int8, and what was measured.

    Args:
        model: A model of `serving_model`.
        pictures: Pictures of `IMAGE_SIZE` pixels, with the splits train and test.

    Raises:
        ConversionError: ONNX deviates from Keras, or int8 from fp32.
    """
    seen = encoder_inputs(_first(pictures.split("train"), QUANTIZATION_PICTURES))
    fp32 = to_onnx(model)
    expected = model.predict(seen, batch_size=64, verbose=0)
    parity = check_parity(expected, run_onnx(fp32.SerializeToString(), seen), VECTOR, TITLE_VECTOR)
    int8 = to_int8(fp32, seen)
    held_out = _first(pictures.split("test"), GATE_PICTURES)
    before, after = (run_onnx(each.SerializeToString(), encoder_inputs(held_out)) for each in (fp32, int8))
    gate = check_int8(before, after, held_out.table)
    sizes = {"fp32_bytes": fp32.ByteSize(), "int8_bytes": int8.ByteSize()}
    return int8, {"parity_max_difference": parity, "gate_pictures": len(held_out), **gate, **sizes}


def encoder_inputs(pictures: Pictures) -> Arrays:
    """Return the inputs of the encoder for pictures with their titles."""
    return {IMAGE: pictures.pixels, TOKENS: pictures.titles, PRESENT: np.ones((len(pictures), 2), np.bool_)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="output folder of training.pretrain.run")
    parser.add_argument("--data", type=Path, required=True, help="its manifest")
    parser.add_argument("--repository", type=Path, default=ROOT / "model_repository")
    parser.add_argument("--version", type=int, help="default: the next free one")
    parser.add_argument("--held-out", type=Path, help="manifest of other pictures; default: the test split of --data")
    parser.add_argument("--release", type=Path, help="repository of the served version; default: --repository")
    parser.add_argument("--no-whitening", action="store_true", help="publish the vectors as they were trained")
    parser.add_argument("--force", action="store_true", help="publish a version that is worse than the served one")
    args = parser.parse_args()
    try:
        print(
            publish_encoder(
                args.run,
                args.data,
                args.repository,
                args.version,
                args.held_out,
                args.force,
                args.release,
                whiten=not args.no_whitening,
            )
        )
    except FAILURES as exc:
        raise SystemExit(f"publish_encoder: {exc}") from exc


def _comparison(catalog: Catalog, int8: onnx.ModelProto, pictures: Pictures) -> dict[str, Any] | None:
    """Compare with the version that the ensemble embed serves; None before the first version."""
    file = served_file(catalog, ENCODER, EMBED)
    if file is None:
        return None
    inputs = encoder_inputs(pictures)
    before, after = (run_onnx(each, inputs)[VECTOR] for each in (str(file), int8.SerializeToString()))
    return {"version": int(file.parent.name), **compare_with_served(before, after, pictures.table)}


def _first(pictures: Pictures, count: int) -> Pictures:
    return pictures.rows(np.arange(min(len(pictures), count)))


if __name__ == "__main__":
    main()
