"""Bind published weights to the preprocessing of this checkout, whose digest has changed.

    python -m conversion.rebind

Use it only where pixels and tokens are the same as those that the weights were trained with. The digest is rewritten in
what stable ensembles serve (ONNX files, galleries, `preprocess/config.pbtxt`), in the Grad-CAM of served models and in
the checksums; `make test` then compares the answers of the served models with stored ones.
"""

import argparse
import re
from hashlib import sha256
from pathlib import Path
from typing import Final

import onnx

from genderprep import check_probes, prep_digest
from genderprep.digest import METADATA_KEY
from picturegallery.files import ABOUT
from server.catalog import CONFIG, Catalog
from server.checksums import record

from .errors import FAILURES
from .export import read_metadata, stamp
from .gradcam import EXPLAINS

ROOT: Final = Path(__file__).resolve().parents[1]
PREPROCESS: Final = "preprocess"


def rebind(repository: Path, explanations: Path | None = None) -> None:
    """Write the digest of this checkout's preprocessing into everything that a stable ensemble serves.

    Args:
        repository: A model repository.
        explanations: A repository of `conversion.gradcam`, whose models name the files that they explain.

    Raises:
        PrepMismatch: The probe pictures come out otherwise than stored.
    """
    check_probes()
    for folder in _served_folders(Catalog(repository)):
        if folder.parent.name == PREPROCESS:
            _declare(repository, folder.name)
        elif (file := folder / "model.onnx").is_file():
            _rebind_model(file, repository, explanations)
        elif (file := folder / ABOUT).is_file():
            _replace(file, rf'("{METADATA_KEY}": ")[0-9a-f]{{64}}', repository)


def _served_folders(catalog: Catalog) -> list[Path]:
    """Return the folder of each version that a stable ensemble serves."""
    ensembles = catalog.stable_ensembles()
    return sorted({catalog.step_folder(ensemble.name, model) for ensemble in ensembles for model in ensemble.steps})


def _rebind_model(file: Path, repository: Path, explanations: Path | None) -> None:
    """Rebind a model. What explains it comes first: so a repeated command finds it again after an interruption."""
    new = _stamped(file)
    before, after = (sha256(each.read_bytes()).hexdigest() for each in (file, new))
    for each in sorted(explanations.glob("*/*/model.onnx")) if explanations else []:
        if read_metadata(each).get(EXPLAINS) == before:
            _install(_stamped(each, **{EXPLAINS: after}), each, each.parents[2])
    _install(new, file, repository)


def _stamped(file: Path, **metadata: str) -> Path:
    """Write a model with the digest of this checkout beside the file, and return where."""
    model, new = onnx.load(file), file.with_name(f".{file.name}")
    stamp(model, {METADATA_KEY: prep_digest(), **metadata})
    onnx.save(model, new)
    return new


def _install(new: Path, file: Path, repository: Path) -> None:
    new.replace(file)
    record(file, file, repository)


def _declare(repository: Path, version: str) -> None:
    config = repository / PREPROCESS / CONFIG
    _replace(config, rf'(key: "{METADATA_KEY}_{version}"\s+value {{ string_value: ")[0-9a-f]{{64}}', repository)


def _replace(file: Path, digest: str, repository: Path) -> None:
    """Write the digest of this checkout in place of what a pattern, behind its first group, matches."""
    text = re.sub(digest, rf"\g<1>{prep_digest()}", file.read_text(encoding="utf-8"))
    file.write_text(text, encoding="utf-8")
    record(file, file, repository)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repository", type=Path, default=ROOT / "model_repository")
    parser.add_argument("--explanations", type=Path, default=ROOT / "explain_repository")
    args = parser.parse_args()
    try:
        rebind(args.repository, args.explanations)
    except FAILURES as exc:
        raise SystemExit(f"rebind: {exc}") from exc


if __name__ == "__main__":
    main()
