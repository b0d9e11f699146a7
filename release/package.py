"""The wheel and the source distribution of the SDK."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from .commands import run

# Programs of requirements/package.txt.
_TOOLS: Final = Path(__file__).resolve().parent.parent / ".venv" / "package" / "bin"


def build_package(sources: Path, folder: Path) -> tuple[Path, Path]:
    """Build both from a copy of `sources`, because setuptools writes beside them; the wheel from the distribution.

    Returns:
        The wheel and the source distribution, in `folder`.

    Raises:
        ReleaseError: A build fails, or a check finds something.
    """
    with TemporaryDirectory() as temporary:
        copy = Path(temporary, "client")
        shutil.copytree(sources, copy, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
        run(_TOOLS / "python", "-m", "build", "--no-isolation", f"--outdir={folder}", copy, folder=folder)
    (wheel,), (distribution,) = folder.glob("genderclient-*.whl"), folder.glob("genderclient-*.tar.gz")
    run(_TOOLS / "twine", "check", "--strict", wheel, distribution, folder=folder)
    run(_TOOLS / "check-wheel-contents", wheel, folder=folder)
    return wheel, distribution
