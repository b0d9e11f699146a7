"""What the SDK and its extras install."""

import subprocess
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pandas as pd

from server.launch.process import ROOT

from ..report.experiment import Experiment, Measurement, MeasurementError, records
from ..report.markdown import table

EXTRAS: Final = ("", "images", "cli", "redis", "ray")
_LARGEST: Final = 3


class InstallSize(Experiment):
    """Install the SDK with each extra in a folder of its own. Needs a package index."""

    name = "install_size"
    title = "What the SDK installs"

    def measure(self, args: Any) -> Measurement:
        rows = []
        for extra in EXTRAS:
            with TemporaryDirectory() as folder:
                sizes = _installed(Path(folder), extra)
            largest = sorted(sizes, key=sizes.__getitem__, reverse=True)[:_LARGEST]
            rows.append(
                {
                    "extra": extra or "none",
                    "packages": len(sizes),
                    "mb": sum(sizes.values()) / 1e6,
                    "largest": ", ".join(f"{name} {sizes[name] / 1e6:.0f}" for name in largest),
                }
            )
        return Measurement(pd.DataFrame(), {"installs": records(pd.DataFrame(rows))})

    def table(self, measurement: Measurement) -> str:
        columns = {"extra": "{extra}", "packages": "{packages}", "MB": "{mb:.0f}", "largest, MB": "{largest}"}
        return f"""\
All packages that `pip install './client[EXTRA]'` installs where nothing is installed yet, without bytecode.

{table(measurement.metadata["installs"], columns)}"""


def _installed(folder: Path, extra: str) -> dict[str, int]:
    """The bytes of each package."""
    target = str(ROOT / "client") + (f"[{extra}]" if extra else "")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--target", str(folder), target]
    if subprocess.run(install, stdout=sys.stderr).returncode:
        raise MeasurementError(f"pip cannot install the SDK with the extra {extra!r}; it needs a package index")
    return {each.name: _size(each) for each in distributions(path=[str(folder)])}


def _size(package: Distribution) -> int:
    files = (Path(str(package.locate_file(file))) for file in package.files or ())
    return sum(file.stat().st_size for file in files if file.is_file())
