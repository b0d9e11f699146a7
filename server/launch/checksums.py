"""Checks model files against `SHA256SUMS`, which `conversion.publish` writes in the format of `sha256sum`."""

import hashlib
from pathlib import Path
from typing import Final

from server.errors import LaunchError

MANIFEST: Final = "SHA256SUMS"


def check_files(repository: Path) -> None:
    """Compare every `<model>/<version>/*.onnx` with the manifest. A repository without a manifest is not checked.

    Manifest entries of missing files are ignored.

    Raises:
        LaunchError: A file has changed since it was published, or was never published.
    """
    manifest = repository / MANIFEST
    if not manifest.is_file():
        return
    published = _read(manifest)
    for file in sorted(repository.glob("*/[0-9]*/*.onnx")):
        name = str(file.relative_to(repository))
        if name not in published:
            raise LaunchError(
                f"{file} is not in {manifest}: it was never published; publish it with conversion.publish, remove it, "
                f"or trust it: cd {repository} && sha256sum {name} >> {MANIFEST}"
            )
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        if digest != published[name]:
            raise LaunchError(
                f"{file} has changed since it was published: expected SHA-256 {published[name]} ({manifest}), "
                f"got {digest}; restore it (git checkout -- {file}) or publish the model again"
            )


def _read(manifest: Path) -> dict[str, str]:
    """Return digests by path. The last line of a file counts."""
    digests = {}
    for number, line in enumerate(manifest.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        digest, _, name = line.partition("  ")
        if len(digest) != 64 or not name:
            raise LaunchError(
                f"{manifest}, line {number}: expected a SHA-256, two spaces and a path, as sha256sum writes"
            )
        digests[name] = digest
    return digests
