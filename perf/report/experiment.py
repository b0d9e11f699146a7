"""The shape that all experiments share: measure once, then derive everything else from the files written."""

import json
from abc import ABC, abstractmethod
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from training.report import write_report


class MeasurementError(RuntimeError):
    """A measurement could not start or did not finish."""


class Goal(NamedTuple):
    """A requirement, the figure measured for it, and whether the figure meets it."""

    text: str
    figure: str
    met: bool


@dataclass(frozen=True)
class Measurement:
    """What one run measured.

    Attributes:
        rows: One row per measured value, for example per round and arm. May be empty.
        metadata: Facts about the whole run that JSON can hold. `Experiment.read` adds date and machine.
    """

    rows: pd.DataFrame
    metadata: Mapping[str, Any]


class Charted(ABC):
    """What an experiment with a figure also is."""

    @abstractmethod
    def chart(self, measurement: Measurement) -> Figure:
        """Return the figure below the tables, in the style of the moment."""


class Experiment(ABC):
    """One experiment: a subcommand, its result files, and a section of a results document.

    `measure` runs once. All other methods work on what `read` returns, so documents and charts can be written again
    without measuring. The docstring of a subclass is the help of its subcommand.

    Attributes:
        name: The subcommand, and the stem of the result files.
        title: The heading of the section.
    """

    name: ClassVar[str]
    title: ClassVar[str]

    def add_arguments(self, parser: ArgumentParser) -> None:  # noqa: B027
        """Add options besides `--seed` and `--results`, which every experiment has."""

    @abstractmethod
    def measure(self, args: Any) -> Measurement:
        """Run the experiment with the parsed options.

        Raises:
            MeasurementError: It could not start or did not finish; the runner also handles `runner.ERRORS`.
        """

    def goals(self, measurement: Measurement) -> Iterator[Goal]:
        """Yield the goals of the experiment; none by default."""
        yield from ()

    @abstractmethod
    def table(self, measurement: Measurement) -> str:
        """Return the body of the section in Markdown: what was measured, and the tables."""

    def failure(self, measurement: Measurement) -> str:
        """Return why the command exits with 1 although it measured; empty by default."""
        return ""

    def write_extras(self, measurement: Measurement, folder: Path) -> None:  # noqa: B027
        """Write further files about a measurement to `folder`; none by default."""

    def write(self, measurement: Measurement, folder: Path) -> None:
        """Write `name.csv` (if there are rows) and `name.json` to `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        if not measurement.rows.empty:
            measurement.rows.round(4).to_csv(folder / f"{self.name}.csv", index=False)
        write_report(folder / f"{self.name}.json", **measurement.metadata)

    def read(self, folder: Path) -> Measurement:
        """Read what `write` wrote.

        Raises:
            FileNotFoundError: The experiment has no results in `folder`.
        """
        file = folder / f"{self.name}.json"
        if not file.is_file():
            raise FileNotFoundError(f"expected the results of {self.name} in {file}; measure them first")
        table = file.with_suffix(".csv")
        rows = pd.read_csv(table) if table.is_file() else pd.DataFrame()
        return Measurement(rows, json.loads(file.read_text(encoding="utf-8")))


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Convert a table for `Measurement.metadata`: four decimals, None instead of NaN."""
    frame = frame.round(4).astype(object)
    rows = frame.where(frame.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]
