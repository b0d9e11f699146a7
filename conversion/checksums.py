"""`SHA256SUMS` of the model repository: which bytes were published; the launcher serves no others.

It is what `sha256sum` writes and `sha256sum --check` reads.
"""

import hashlib
from pathlib import Path
from typing import Final

MANIFEST: Final = "SHA256SUMS"


def record(file: Path, place: Path, repository: Path) -> None:
    """Write down that `place` in the repository will have the bytes of `file`.

    What is written of other files stays, whatever they are now. Where nothing was written yet, those are trusted that
    are there.
    """
    manifest = repository / MANIFEST
    published = _read(manifest) if manifest.is_file() else _found(repository)
    published[str(place.relative_to(repository))] = _sha256(file)
    draft = repository / f".publish-{MANIFEST}"
    draft.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(published.items())), encoding="utf-8")
    draft.rename(manifest)


def _read(manifest: Path) -> dict[str, str]:
    lines = (line.partition("  ") for line in manifest.read_text(encoding="utf-8").splitlines())
    return {name: digest for digest, _, name in lines}


def _found(repository: Path) -> dict[str, str]:
    return {str(file.relative_to(repository)): _sha256(file) for file in repository.glob("*/[0-9]*/*.onnx")}


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
