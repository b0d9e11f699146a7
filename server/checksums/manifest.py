"""`SHA256SUMS` of a model repository: the digest of every file in its models' folders, in the format of `sha256sum`.

`conversion.publish` and `server.rollout` record what they write. `python -m server.checksums` records what you edited.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from server.errors import LaunchError

MANIFEST: Final = "SHA256SUMS"
CONFIG: Final = "config.pbtxt"
PLACEHOLDER: Final = ".gitkeep"
COMPILED: Final = "__pycache__"


def record(file: Path, target: Path, repository: Path) -> None:
    """Record that `target` in the repository will have the content of `file`.

    The entries of other files stay, even if these files have changed since. If the repository has no manifest yet, the
    files in it are trusted and recorded too.
    """
    has_manifest = (repository / MANIFEST).is_file()
    digests = read_manifest(repository) if has_manifest else _digests(repository, {})
    digests[str(target.relative_to(repository))] = digest_of(file.read_bytes())
    _write(repository, digests)


def record_all(repository: Path) -> list[str]:
    """Trust the files as they are; returns the paths that are new, changed or gone."""
    before = read_manifest(repository) if (repository / MANIFEST).is_file() else {}
    now = _digests(repository, before)
    _write(repository, now)
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def check_files(repository: Path) -> None:
    """Compare all files with the manifest. A repository without a manifest is not checked.

    Entries of missing files are ignored.

    Raises:
        LaunchError: A file has changed since it was recorded, or was never recorded.
    """
    if (repository / MANIFEST).is_file():
        manifest = read_manifest(repository)
        for model in models_in(repository, manifest):
            for _ in verified_files(repository, model, manifest):
                pass


def models_in(repository: Path, manifest: dict[str, str]) -> list[str]:
    """Return the folders that have a configuration or a recorded file. Triton could not serve any other folder."""
    recorded = {name.partition("/")[0] for name in manifest}
    folders = (each for each in sorted(repository.iterdir()) if each.is_dir() and not _is_ignored(each.name))
    return [each.name for each in folders if each.name in recorded or (each / CONFIG).exists()]


def verified_files(repository: Path, model: str, manifest: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of each file of a model, once its content matches the manifest.

    Raises:
        LaunchError: A file has changed since it was recorded, was never recorded, or cannot be read.
    """
    for name in _files(repository, model):
        file, remedy = repository / name, f"record it if it is yours: python -m server.checksums {repository}"
        if name not in manifest:
            raise LaunchError(f"{file} is not in {repository / MANIFEST}; remove it, or {remedy}")
        content = _read(file)
        if (digest := digest_of(content)) != manifest[name]:
            raise LaunchError(
                f"{file} has changed since it was recorded: expected SHA-256 {manifest[name]} "
                f"({repository / MANIFEST}), got {digest}; restore it (git checkout -- {file}), or {remedy}"
            )
        yield name, content


def read_manifest(repository: Path) -> dict[str, str]:
    """Return digests by path. The last line of a file counts.

    Raises:
        LaunchError: A line is not as `sha256sum` writes it.
    """
    manifest, digests = repository / MANIFEST, {}
    for number, line in enumerate(manifest.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        digest, _, name = line.partition("  ")
        if len(digest) != 64 or not name:
            raise LaunchError(
                f"{manifest}, line {number}: expected a SHA-256, two spaces and a path, as sha256sum writes"
            )
        digests[name] = digest
    return digests


def manifest_text(digests: dict[str, str]) -> str:
    """Return the text of a manifest."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(content).hexdigest()


def _write(repository: Path, digests: dict[str, str]) -> None:
    draft = repository / f".publish-{MANIFEST}"
    draft.write_text(manifest_text(digests), encoding="utf-8")
    draft.rename(repository / MANIFEST)


def _digests(repository: Path, manifest: dict[str, str]) -> dict[str, str]:
    models = models_in(repository, manifest)
    return {name: digest_of(_read(repository / name)) for model in models for name in _files(repository, model)}


def _files(repository: Path, model: str) -> Iterator[str]:
    """Yield the paths of a model's files, except drafts and compiled Python, which are never served.

    Raises:
        LaunchError: A name cannot be written as a line of UTF-8.
    """
    for folder, folders, files in os.walk(repository / model):
        folders[:] = sorted(each for each in folders if not _is_ignored(each))
        for file in sorted(each for each in files if not _is_ignored(each)):
            path = Path(folder) / file
            if not (name := str(path.relative_to(repository))).isprintable():
                raise LaunchError(f"{str(path)!r} has characters that are not printable in its path; remove it")
            yield name


def _is_ignored(name: str) -> bool:
    return name == COMPILED or (name.startswith(".") and name != PLACEHOLDER)


def _read(file: Path) -> bytes:
    if not file.is_file():
        raise LaunchError(f"{file} is not a regular file; remove it")
    try:
        return file.read_bytes()
    except OSError as exc:
        raise LaunchError(f"{file} cannot be read: {exc.strerror}") from exc
