"""Changes several files together: all of them, or none."""

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

    All new texts are written beside the old ones first, so that a full disk changes nothing.

    Raises:
        RolloutError: A file cannot be changed. The others are restored; the message names those that cannot be.
    """
    # Undone in reverse order.
    undo = {file: file.read_text(encoding="utf-8") if file.is_file() else None for file in reversed(changes)}
    try:
        for file, text in changes.items():
            if text is not None:
                _write_draft(file, text)
        for file, text in changes.items():
            _put(file, text)
    except OSError as exc:
        left = [str(file) for file, text in undo.items() if not _is_restored(file, text)]
        result = f"these files could not be restored: {', '.join(left)}" if left else "nothing is changed"
        raise RolloutError(f"{exc}; {result}") from exc
    return undo


def _draft_of(file: Path) -> Path:
    return file.with_name(f".{file.name}.draft")


def _write_draft(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    _draft_of(file).write_text(text, encoding="utf-8")


def _put(file: Path, text: str | None) -> None:
    """Put the draft in place, or remove the file."""
    if text is None:
        file.unlink(missing_ok=True)
        _remove_empty(file.parent)
    else:
        _draft_of(file).replace(file)


def _is_restored(file: Path, text: str | None) -> bool:
    """Remove the draft, and give a file its old text if it has another; returns whether that worked."""
    if not file.parent.is_dir():
        return text is None
    try:
        _draft_of(file).unlink(missing_ok=True)
        if text is None:
            if file.is_file():
                file.unlink()
            _remove_empty(file.parent)
        elif file.read_text(encoding="utf-8") != text:
            _write_draft(file, text)
            _put(file, text)
    except OSError:
        return False
    return True


def _remove_empty(folder: Path) -> None:
    """Remove the folder and its parents as long as they are empty."""
    while not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
