"""Results as JSON with the machine, date and library versions that produced them, and Markdown tables."""

import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import pandas as pd

_REPORT: Final = "report.json"
# Reported if they are installed: Keras runs on any one of the last three.
_LIBRARIES: Final = ("keras", "numpy", "tensorflow-cpu", "torch", "jax")


def write_report(file: Path, **results: Any) -> None:
    """Write `results` to `file`, as a whole or not at all; dataclasses become objects."""
    content = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, {_processor()}{_gpu()}, {platform.system()} {platform.machine()}",
        "versions": _versions(),
        **{
            key: asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
            for key, value in results.items()
        },
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f"new_{file.name}")
    new.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    new.replace(file)


def start_run(out: Path) -> None:
    """Create the folder of a run. A finished run there counts as unfinished from now on."""
    out.mkdir(parents=True, exist_ok=True)
    (out / _REPORT).unlink(missing_ok=True)


def read_run(run: Path) -> dict[str, Any]:
    """Return the report of a finished run.

    Raises:
        FileNotFoundError: The folder has no finished run.
    """
    file = run / _REPORT
    if not file.is_file():
        raise FileNotFoundError(f"no finished run in {run}: expected report.json, which training.gender.train writes")
    report: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return report


def markdown_table(rows: Iterable[Sequence[str]], columns: Sequence[str]) -> str:
    """Format rows of text as a Markdown table."""
    frame = pd.DataFrame(rows, columns=list(columns))
    return str(frame.to_markdown(index=False, tablefmt="github", disable_numparse=True))


def interval(values: Mapping[str, Any], name: str, form: str) -> str:
    """Format a value with the ends of its interval, `name_low` and `name_high`."""
    value, low, high = (format(values[f"{name}{end}"], form) for end in ("", "_low", "_high"))
    return f"{value} ({low} to {high})"


def _versions() -> dict[str, str]:
    versions = {}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def _gpu() -> str:
    """Return the name of the GPU that PyTorch uses, if it is the backend."""
    torch = sys.modules.get("torch")
    return f", {torch.cuda.get_device_name()}" if torch and torch.cuda.is_available() else ""


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown processor")
