"""Changes several files together: all of them, or none."""

from contextlib import suppress
from pathlib import Path

from server.checksums import MANIFEST
from server.checksums.manifest import digest_of, manifest_text, read_manifest
from server.errors import RolloutError

# The new text of each file. None removes the file, and its folder if that is empty then.
FileChanges = dict[Path, str | None]


def with_checksums(changes: FileChanges, repository: Path) -> FileChanges:
    """Add the manifest that records these changes; a repository without a manifest stays without."""
    if not (repository / MANIFEST).is_file():
        return changes
    digests = read_manifest(repository)
    for file, text in changes.items():
        name = str(file.relative_to(repository))
        if text is None:
            digests.pop(name, None)
        else:
            digests[name] = digest_of(text.encode())
    return {**changes, repository / MANIFEST: manifest_text(digests)}


def write_changes(changes: FileChanges) -> FileChanges:
    """Change the files in this order, each one atomically; returns the changes that undo it.

    Raises:
        RolloutError: A file cannot be written. Those before it are restored.
    """
    undo: FileChanges = {}
    try:
        for file, text in changes.items():
            # Undone in reverse order.
            undo = {file: file.read_text(encoding="utf-8") if file.is_file() else None, **undo}
            _write(file, text)
    except OSError as exc:
        for file, text in undo.items():
            with suppress(OSError):
                _write(file, text)
        raise RolloutError(f"{exc}; nothing is changed") from exc
    return undo


def _write(file: Path, text: str | None) -> None:
    if text is None:
        file.unlink(missing_ok=True)
        _remove_empty(file.parent)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)


def _remove_empty(folder: Path) -> None:
    """Remove the folder and its parents as long as they are empty."""
    while not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
