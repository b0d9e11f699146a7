"""Put a version into a model repository as a whole, with its checksums, so that no server sees half a version."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from server.catalog import Model
from server.checksums import record


def new_version(model: Model, version: int | None = None) -> Path:
    """Return the folder of a version to publish, by default the next one.

    Raises:
        FileExistsError: The version exists.
    """
    folder = model.folder / str(version if version is not None else max(model.versions, default=0) + 1)
    if folder.exists():
        raise FileExistsError(f"{folder} exists and published versions are immutable; choose another --version")
    return folder


@contextmanager
def installing(folder: Path) -> Iterator[Path]:
    """Yield a staging folder; if the block succeeds, record its files and rename it to `folder`."""
    staging = Path(tempfile.mkdtemp(prefix=".publish-", dir=folder.parent))
    try:
        yield staging
        staging.chmod(0o755)
        for file in sorted(each for each in staging.rglob("*") if each.is_file()):
            record(file, folder / file.relative_to(staging), folder.parent.parent)
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
