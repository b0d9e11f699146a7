"""The files of a release, in `dist/`."""

import hashlib
import shutil
from pathlib import Path
from typing import Final

from .changelog import notes
from .commands import run
from .errors import ReleaseError
from .package import build_package
from .versions import current_version, disagreements

DIST: Final = "dist"


def check(root: Path) -> str:
    """Return the version to release.

    Raises:
        ReleaseError: The tree has changes, versions disagree, or the changelog lacks the version.
    """
    if changes := run("git", "status", "--porcelain", folder=root):
        raise ReleaseError(f"{len(changes.splitlines())} files are not committed; commit, remove or ignore them")
    if wrong := disagreements(root):
        raise ReleaseError("\n".join(["versions disagree; run: python -m release version <new version>", *wrong]))
    version = current_version(root)
    notes(root, version)
    return version


def build(root: Path) -> list[Path]:
    """Write all files of the release into an emptied `dist/`. `make sbom docs` must have run.

    Raises:
        ReleaseError: As `check`, or a command fails.
    """
    version = check(root)
    dist = root / DIST
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir()
    build_package(root / "client", dist)
    archive_models(root, dist / f"model_repository-{version}.tar.gz")
    run("tar", "--create", "--gzip", f"--file={dist}/docs-{version}.tar.gz", "docs", folder=root / "out")
    shutil.copy(root / "out" / "sbom.json", dist / f"sbom-{version}.json")
    (dist / f"release_notes-{version}.md").write_text(notes(root, version), encoding="utf-8")
    files = sorted(dist.iterdir())
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (dist / "SHA256SUMS").write_text("".join(sums))
    return [*files, dist / "SHA256SUMS"]


def archive_models(root: Path, file: Path) -> None:
    """Archive the model repository of the current commit. The same commit gives the same bytes."""
    run("git", "archive", f"--output={file}", "HEAD", "model_repository", folder=root)
