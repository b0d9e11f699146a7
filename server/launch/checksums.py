"""Model files are served as they were published: `SHA256SUMS` in the repository, as `sha256sum --check` reads it.

`conversion.publish` writes it. A repository without one is served unchecked.
"""

import hashlib
from pathlib import Path
from typing import Final

from server.errors import LaunchError

MANIFEST: Final = "SHA256SUMS"


def check_files(repository: Path) -> None:
    """Compare every `<model>/<version>/*.onnx` with the manifest; what it lists and is gone is no matter.

    Raises:
        LaunchError: a file is another than published, or was never; it is named, with what to do.
    """
    manifest = repository / MANIFEST
    if not manifest.is_file():
        return
    published = _read(manifest)
    for file in sorted(repository.glob("*/[0-9]*/*.onnx")):
        name = str(file.relative_to(repository))
        if name not in published:
            raise LaunchError(
                f"{file} is not in {manifest}: nobody published it; use conversion.publish, remove the file, "
                f"or trust it: cd {repository} && sha256sum {name} >> {MANIFEST}"
            )
        with file.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
        if found != published[name]:
            raise LaunchError(
                f"{file} was changed since it was published: its SHA-256 is {found}, {manifest} has {published[name]}; "
                f"restore it (git checkout -- {file}) or publish the model again"
            )


def _read(manifest: Path) -> dict[str, str]:
    """Digests by path within the repository; the last line about a file counts."""
    digests = {}
    for number, line in enumerate(manifest.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        digest, _, name = line.partition("  ")
        if len(digest) != 64 or not name:
            raise LaunchError(
                f"{manifest}, line {number}: expected a SHA-256, two spaces and a path, as sha256sum writes"
            )
        digests[name] = digest
    return digests
