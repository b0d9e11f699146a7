"""Files changed together: all of them, or none."""

from contextlib import suppress
from pathlib import Path

from .errors import LifecycleError

Changes = dict[
    Path, str | None
]  # what each file will hold; None: it goes, and its folder with it if that is empty then


def write(changes: Changes) -> Changes:
    """Change the files in this order, each at once; returns what takes it back.

    Raises:
        LifecycleError: not possible; nothing is changed then.
    """
    undo: Changes = {}
    try:
        for file, text in changes.items():
            # The last comes first when it is taken back.
            undo = {file: file.read_text(encoding="utf-8") if file.is_file() else None, **undo}
            _write(file, text)
    except OSError as exc:
        for file, text in undo.items():
            with suppress(OSError):
                _write(file, text)
        raise LifecycleError(f"{exc}; nothing is changed") from exc
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
    """The folder, and those it is in, as far as nothing is in them."""
    while not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
