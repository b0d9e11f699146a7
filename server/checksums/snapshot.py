"""A private copy of a model repository that Triton serves, so that Triton loads exactly the bytes that were verified.

Each copy has a folder of its own in the user's cache, beside a locked file with the path of its repository. Triton
inherits the lock, and the kernel releases it when Triton ends; the next start removes copies without a lock.
"""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from server.errors import LaunchError
from server.launch.runtime import cache_home
from server.launch.stub_paths import check_stub_path

from .manifest import MANIFEST, models_in, read_manifest, verified_files

SOURCE: Final = "source"
MODELS: Final = "models"
READ_ONLY, WRITABLE = 0o500, 0o700


def take_snapshot(repository: Path) -> tuple[Path, list[LaunchError]]:
    """Copy a repository with a manifest; the copy stays until this process and the one that it becomes have ended.

    Returns:
        The copy, and what is wrong with the models that it lacks.

    Raises:
        LaunchError: The manifest cannot be read, or other users can change the folder of the copies.
    """
    with _locked(_home()) as home:
        _free_unused(home)
        folder = Path(tempfile.mkdtemp(dir=home))
        lock = os.open(folder / SOURCE, os.O_CREAT | os.O_WRONLY, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.set_inheritable(lock, True)
        os.write(lock, os.fsencode(repository.resolve()))
        (folder / MODELS).mkdir()
        return folder / MODELS, _copy(repository, folder / MODELS)


def refresh_snapshots(repository: Path) -> list[LaunchError]:
    """Make this user's copies of a repository follow it; Triton reads them at its next load.

    Returns:
        What is wrong with the models that stay as they were. A repository without a manifest has no copies.
    """
    if not (repository / MANIFEST).is_file():
        return []
    with _locked(_home()) as home:
        sources = [file for file in home.glob(f"*/{SOURCE}") if file.read_bytes() == os.fsencode(repository.resolve())]
        return [error for file in sources for error in _copy(repository, file.with_name(MODELS))]


def _copy(repository: Path, models: Path) -> list[LaunchError]:
    """Copy the models whose files all match the manifest, and remove those that the repository lacks.

    Raises:
        LaunchError: The repository disappeared, or the disk of the copy is full.
    """
    errors = []
    try:
        manifest = read_manifest(repository)
        names = models_in(repository, manifest)
        _set_modes(models, WRITABLE)
        for name in names:
            try:
                files = {models / file: content for file, content in verified_files(repository, name, manifest)}
            except LaunchError as exc:
                errors.append(exc)
            else:
                _mirror(models / name, files)
        for folder in models.iterdir():
            if folder.name not in names:
                shutil.rmtree(folder)
    except OSError as exc:
        raise LaunchError(f"{repository} cannot be copied to {models}: {exc.strerror}; free space, and retry") from exc
    finally:
        _set_modes(models, READ_ONLY)
    return errors


def _mirror(model: Path, files: dict[Path, bytes]) -> None:
    """Write what differs: for Triton, a file that is written again has changed."""
    for file, content in files.items():
        if not (file.is_file() and file.read_bytes() == content):
            file.parent.mkdir(parents=True, exist_ok=True)
            draft = file.with_name(f".{file.name}.draft")
            draft.write_bytes(content)
            draft.chmod(stat.S_IRUSR)
            draft.replace(file)
    # Deepest first, so that folders are empty by then.
    for path in sorted(model.rglob("*"), reverse=True):
        if path.is_dir():
            with suppress(OSError):
                path.rmdir()
        elif path not in files:
            path.unlink()


def _set_modes(folder: Path, mode: int) -> None:
    for each, _, _ in os.walk(folder):
        Path(each).chmod(mode)


def _free_unused(home: Path) -> None:
    for file in home.glob(f"*/{SOURCE}"):
        with suppress(BlockingIOError), file.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _set_modes(file.parent, WRITABLE)
            shutil.rmtree(file.parent)


@contextmanager
def _locked(home: Path) -> Iterator[Path]:
    """Keep other processes from adding, changing or removing copies."""
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield home


def _home() -> Path:
    """Return the folder of this user's copies, which other users cannot enter.

    Raises:
        LaunchError: The stubs cannot use its path, or other users can change it.
    """
    try:
        return _private(cache_home() / "gender-triton" / "snapshots", "set XDG_CACHE_HOME=<another folder>")
    except (OSError, RuntimeError):  # The cache is read-only, or the user has no home folder.
        folder = Path(tempfile.gettempdir()) / f"gender-triton-{os.geteuid()}"
        return _private(folder, "set TMPDIR=<another folder>")


def _private(folder: Path, remedy: str) -> Path:
    check_stub_path("the folder of the served copies", str(folder), remedy)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise LaunchError(f"other users can change {folder}; remove it and restart the server")
    (folder / "lock").touch(mode=0o600)
    return folder
