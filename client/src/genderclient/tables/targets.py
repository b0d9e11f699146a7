"""What a job may write: never its input, and an existing file only on request."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from genderclient.tables.errors import TableError

# What a job writes into its folder of chunks first: a job with another description cannot go on in it.
DESCRIPTION: Final = "job.json"


def check_targets(inputs: Iterable[Path], targets: Iterable[Path], chunk_folder: Path, *, overwrite: bool) -> None:
    """Raise TableError if writing `targets` or removing `chunk_folder` would destroy data.

    Links and other spellings of a path count as the same file. A job that was interrupted may have written a target.
    """
    inputs, is_resumed = list(inputs), (chunk_folder / DESCRIPTION).is_file()
    for target in targets:
        if not target.parent.is_dir():
            raise TableError(f"{target.parent}: is no folder; create it, or write elsewhere")
        if target.is_dir():
            raise TableError(f"{target}: is a folder; expected the name of a file to write")
        if not target.exists():
            continue
        if any(target.samefile(file) for file in inputs):
            raise TableError(f"{target}: is the input; write to another file")
        if not (overwrite or is_resumed):
            raise TableError(f"{target}: exists; write to another file, or replace it with --overwrite")
    if any(file.resolve().is_relative_to(chunk_folder.resolve()) for file in inputs):
        raise TableError(f"{chunk_folder}: contains the input, and is removed when the job is finished; move the input")
