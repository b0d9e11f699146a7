"""`SHA256SUMS` of a model repository: the digests of all published model files, in the format of `sha256sum`.

`conversion.publish` records what it publishes. The launcher and `server.rollout` reject other model files.
"""

import hashlib
from pathlib import Path
from typing import Final

from server.errors import LaunchError

MANIFEST: Final = "SHA256SUMS"
MODEL_FILES: Final = "*/[0-9]*/*.onnx"  # <model>/<version>/<file>


def record(file: Path, target: Path, repository: Path) -> None:
    """Record that `target` in the repository will have the content of `file`.

    The entries of other files stay, even if these files have changed since. If the repository has no manifest yet, the
    files in it are trusted and recorded too.
    """
    manifest = repository / MANIFEST
    if manifest.is_file():
        digests = _read(manifest)
    else:
        digests = {str(each.relative_to(repository)): _sha256(each) for each in repository.glob(MODEL_FILES)}
    digests[str(target.relative_to(repository))] = _sha256(file)
    draft = repository / f".publish-{MANIFEST}"
    draft.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())), encoding="utf-8")
    draft.rename(manifest)


def check_files(repository: Path) -> None:
    """Compare all model files with the manifest. A repository without a manifest is not checked.

    Entries of missing files are ignored.

    Raises:
        LaunchError: A file has changed since it was published, or was never published.
    """
    manifest = repository / MANIFEST
    if not manifest.is_file():
        return
    digests = _read(manifest)
    for file in sorted(repository.glob(MODEL_FILES)):
        name = str(file.relative_to(repository))
        if name not in digests:
            raise LaunchError(
                f"{file} is not in {manifest}: it was never published; publish it with conversion.publish, remove it, "
                f"or trust it: cd {repository} && sha256sum {name} >> {MANIFEST}"
            )
        if (digest := _sha256(file)) != digests[name]:
            raise LaunchError(
                f"{file} has changed since it was published: expected SHA-256 {digests[name]} ({manifest}), "
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


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
