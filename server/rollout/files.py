"""Changes several files together: all of them, or none."""

from contextlib import suppress
from pathlib import Path

from server.errors import RolloutError

# The new text of each file. None removes the file, and its folder if that is empty then.
FileChanges = dict[Path, str | None]


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
