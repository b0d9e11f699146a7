"""Convert a trained ranker to ONNX and publish it as a version of `ranker`.

    python -m conversion.publish_ranker --run runs/ranker

Keras → ONNX → parity within 1e-4 → `ranker/<version>/model.onnx`. The metadata states the digests of the preprocessing,
and of the encoder whose vectors it was trained on: a gallery of another encoder refuses to load beside it, and
`server.rollout` wires it to a gallery of the same encoder. The measurements go to `results/publish_ranker.json`.

A ranker that ranks the held-out sessions of its run worse than the served one is rejected. With `--force` it is
published; report and ONNX metadata record that, and `server.rollout promote` then needs a `--force` of its own.

The ranker stays in fp32. Its scales would be those of a batch if they were computed in each run, so that a user's list
would depend on who else is in the batch.

The run's pre-rank (`prerank.npz`) belongs to the gallery: `python -m conversion.publish_gallery --prerank`.
"""

import argparse
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import onnx
from scipy.special import expit

from genderprep import PrepMismatch, prep_digest
from genderprep.digest import METADATA_KEY
from genderprep.tensors import EMBEDDING, EMBEDDING_SIZE, PROBABILITIES
from picturegallery.errors import GalleryError
from picturegallery.files import ENCODER_DIGEST, read_gallery
from picturegallery.history import HISTORY_SIZE
from picturegallery.prerank import CANDIDATE_SIZE
from picturegallery.ranking_inputs import (
    CANDIDATE_IDS,
    CANDIDATE_MASK,
    CANDIDATE_PRIORS,
    CANDIDATE_VECTORS,
    EXPLORE,
    HISTORY_MASK,
    HISTORY_VECTORS,
    NOISE,
)
from server.catalog import GATE, RANK, Catalog
from training.arrays import Arrays, FloatsND
from training.ranking.held_out import read_held_out
from training.report import read_run, write_report

from .errors import FAILURES, ConversionError
from .export import read_metadata, stamp
from .install import installing, new_version
from .parity import check_parity, run_onnx
from .ranker_gate import compare_rankers
from .ranker_graph import LOGITS, ranker_to_onnx
from .ranking_head import TEMPERATURE
from .verdict import on_disk, verdict

ROOT: Final = Path(__file__).parent.parent
RANKER: Final = "ranker"
GALLERY: Final = "gallery"
# Users whose scores are compared.
USERS: Final = 64


def publish_ranker(
    run: Path, repository: Path, version: int | None = None, temperature: float = TEMPERATURE, force: bool = False
) -> Path:
    """Publish `run/ranker.keras` and return the version folder.

    Args:
        run: A finished run of `training.ranking.train`.
        repository: A model repository with a ranker and a gallery.
        version: The version to publish; by default the next one.
        temperature: Of exploration.
        force: Publish a ranker that is worse than the served one.

    Raises:
        PrepMismatch: The gender model behind its inputs belongs to another preprocessing.
        GalleryError: No version of the gallery has the encoder that it was trained with.
        ConversionError: ONNX deviates from Keras, or the ranker has no ONNX form, or it is worse than the served one;
            or the temperature is not positive.
        CatalogError: The repository has no ranker or no gallery.
        FileNotFoundError: The run does not exist, or lacks its served model or its held-out sessions.
        FileExistsError: The version exists.
    """
    if not 0 < temperature < np.inf:
        raise ConversionError(f"expected a positive temperature, such as {TEMPERATURE}, got {temperature}")
    report, catalog = read_run(run), Catalog(repository)
    folder = new_version(catalog.model(RANKER), version)
    vectors = _vectors(report, catalog)
    if not (file := run / "ranker.keras").is_file():
        raise FileNotFoundError(f"{file} does not exist: a ranker with id embeddings is not served; train one without")
    model, measured = convert_ranker(keras.saving.load_model(file, compile=False), vectors, temperature)
    comparison = _comparison(catalog, model, run, report[ENCODER_DIGEST])
    gate = verdict(comparison, force, "sessions")
    digests = {METADATA_KEY: prep_digest(), ENCODER_DIGEST: report[ENCODER_DIGEST]}
    stamp(model, {**digests, "temperature": str(temperature), "trained": report["date"], GATE: gate})
    with installing(folder) as staging:
        onnx.save(model, staging / "model.onnx")
    write_report(
        repository.parent / "results" / f"publish_{RANKER}.json",
        version=int(folder.name),
        temperature=temperature,
        gate=gate,
        comparison=comparison,
        training=report,
        **measured,
    )
    return folder


def convert_ranker(
    model: keras.Model, vectors: FloatsND, temperature: float = TEMPERATURE
) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """Export a served model; return it and what was measured.

    Args:
        model: A model of `training.ranking.model.Ranker.served_model`.
        vectors: Of pictures, [P, D].
        temperature: Of exploration.

    Raises:
        ConversionError: ONNX deviates from Keras, or the model has no ONNX form.
    """
    inputs = sample_inputs(vectors)
    shown = inputs[CANDIDATE_MASK]
    logits = model.predict({name: inputs[name.upper()] for name in model.input}, verbose=0)[shown]
    compared = ranker_to_onnx(model, temperature, logits=True)
    fp32 = run_onnx(compared.SerializeToString(), inputs)[LOGITS][shown]
    difference = check_parity({LOGITS: expit(logits)}, {LOGITS: expit(fp32)}, LOGITS)
    served = ranker_to_onnx(model, temperature)
    return served, {"parity_max_difference": difference, "bytes": served.ByteSize()}


def sample_inputs(vectors: FloatsND, users: int = USERS, seed: int = 0) -> Arrays:
    """Draw the inputs of users with histories and candidate lists of all lengths; the first ones have full lists."""
    rng = np.random.default_rng(seed)
    lengths = {size: rng.integers(0, size + 1, users) for size in (HISTORY_SIZE, CANDIDATE_SIZE)}
    for size, drawn in lengths.items():
        drawn[: users // 4] = size
    masks = {size: np.arange(size) < drawn[:, None] for size, drawn in lengths.items()}
    rows = {size: rng.integers(0, len(vectors), mask.shape) for size, mask in masks.items()}
    pictures = {size: (vectors[rows[size]] * masks[size][..., None]).astype(np.float32) for size in masks}
    p_female = rng.random((users, 1), np.float32)
    return {
        EMBEDDING: rng.normal(size=(users, EMBEDDING_SIZE)).astype(np.float32) * (np.arange(users)[:, None] % 3 > 0),
        PROBABILITIES: np.concatenate([1 - p_female, p_female], axis=1),
        HISTORY_VECTORS: pictures[HISTORY_SIZE],
        HISTORY_MASK: masks[HISTORY_SIZE],
        CANDIDATE_IDS: rows[CANDIDATE_SIZE],
        CANDIDATE_VECTORS: pictures[CANDIDATE_SIZE],
        CANDIDATE_MASK: masks[CANDIDATE_SIZE],
        CANDIDATE_PRIORS: rng.random((users, CANDIDATE_SIZE), np.float32),
        NOISE: np.zeros((users, CANDIDATE_SIZE), np.float32),
        EXPLORE: np.zeros((users, 1), np.bool_),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="output folder of training.ranking.train")
    parser.add_argument("--repository", type=Path, default=ROOT / "model_repository")
    parser.add_argument("--version", type=int, help="default: the next free one")
    parser.add_argument("--temperature", type=float, default=TEMPERATURE, help="of exploration; default: %(default)s")
    parser.add_argument("--force", action="store_true", help="publish a ranker that is worse than the served one")
    args = parser.parse_args()
    try:
        print(publish_ranker(args.run, args.repository, args.version, args.temperature, args.force))
    except (GalleryError, *FAILURES) as exc:
        raise SystemExit(f"publish_ranker: {exc}") from exc


def _comparison(catalog: Catalog, new: onnx.ModelProto, run: Path, encoder: str) -> dict[str, Any] | None:
    """Compare with the served ranker; None if there is none, or if it ranks the vectors of another encoder."""
    ensembles = catalog.stable_ensembles(RANK)
    if not ensembles or not catalog.model(RANKER).versions:
        return None
    served = max((catalog.step_folder(each.name, RANKER) for each in ensembles), key=lambda folder: int(folder.name))
    file = on_disk(served / "model.onnx")
    if read_metadata(file)[ENCODER_DIGEST] != encoder:
        return None
    compared = compare_rankers(str(file), new.SerializeToString(), *read_held_out(run))
    return {"version": int(served.name), **compared}


def _vectors(report: dict[str, Any], catalog: Catalog) -> FloatsND:
    """Return the vectors of a gallery with the run's encoder, after both digests are checked."""
    if (prep := report.get(METADATA_KEY, "")) != prep_digest():
        raise PrepMismatch(
            f"expected a ranker of preprocessing {prep_digest()[:12]}, got {prep[:12] or 'none'}; train it again"
        )
    gallery, encoder = catalog.model(GALLERY), report.get(ENCODER_DIGEST, "")
    known = {}
    for version in gallery.versions:
        content = read_gallery(gallery.folder / str(version))
        if content.encoder_digest == encoder:
            return np.asarray(content.vectors, np.float32)
        known[version] = content.encoder_digest
    listed = ", ".join(f"{version}: {digest[:12]}" for version, digest in known.items()) or "none"
    raise GalleryError(
        f"the ranker was trained with the encoder {encoder[:12] or 'none'}, but {gallery.folder} has {listed}; publish "
        f"a gallery of that encoder, or train the ranker on the vectors of one of these"
    )


if __name__ == "__main__":
    main()
