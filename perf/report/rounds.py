"""Experiments that measure several arms in turn, in rounds."""

from abc import abstractmethod
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import pandas as pd

from .experiment import Experiment, Measurement
from .markdown import table
from .runner import add_users, positive

Row = dict[str, Any]
T = TypeVar("T")


class RoundsExperiment(Experiment):
    """An experiment whose table shows the medians of the rounds, one row per arm.

    Attributes:
        clients: Default numbers of concurrent clients; empty if the experiment does not vary them.
        arm: The columns that identify an arm.
        spread: The columns whose range over the rounds the summary has, as `NAME_low` and `NAME_high`.
        about: What the table shows.
        columns: The table, as in `markdown.table`.
    """

    clients: ClassVar[Sequence[int]] = ()
    arm: ClassVar[Sequence[str]]
    spread: ClassVar[Sequence[str]] = ()
    about: ClassVar[str]
    columns: ClassVar[Mapping[str, str]]

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_users(parser)
        if self.clients:
            parser.add_argument("--clients", nargs="+", type=positive, default=self.clients, help="numbers to measure")
        parser.add_argument("--rounds", type=positive, default=3, help="measurements of each arm")
        parser.add_argument("--seconds", type=positive, default=3, help="length of one measurement")

    @abstractmethod
    def measure_rounds(self, args: Any) -> Iterator[Row]:
        """Measure all arms in turn, `args.rounds` times; yields one row per round and arm, with its `round`."""

    def measure(self, args: Any) -> Measurement:
        rows: list[Row] = []
        for row in self.measure_rounds(args):
            if not rows or rows[-1]["round"] != row["round"]:
                print(f"round {row['round'] + 1} of {args.rounds}", flush=True)
            rows.append(row)
        return Measurement(pd.DataFrame(rows), {})

    def summarize(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return one row per arm."""
        return medians(rows, self.arm, self.spread)

    def table(self, measurement: Measurement) -> str:
        return f"{self.about}\n\n{table(self.summarize(measurement.rows), self.columns)}"


def medians(rows: pd.DataFrame, by: Sequence[str], spread: Sequence[str] = ()) -> pd.DataFrame:
    """Return the median over the rounds of all numeric columns, and the range of the columns in `spread`."""
    arms = rows.groupby(list(by), sort=False)
    summary = arms.median(numeric_only=True).drop(columns="round", errors="ignore")
    for name in spread:
        summary[f"{name}_low"], summary[f"{name}_high"] = arms[name].min(), arms[name].max()
    return summary.reset_index()


def rotated(arms: Iterable[T], number: int) -> list[T]:
    """Return the arms in the order of a round: each round starts with another one, so that none is always first."""
    arms = list(arms)
    start = number % len(arms)
    return arms[start:] + arms[:start]


def compare(rows: pd.DataFrame, reference: pd.DataFrame, on: Sequence[str], figures: Sequence[str]) -> pd.DataFrame:
    """Add `NAME_ratio` and `NAME_difference` of each figure to the reference row with equal values in `on`."""
    pairs = rows.merge(reference[[*on, *figures]], on=list(on), suffixes=("", "_reference"))
    for name in figures:
        pairs[f"{name}_ratio"] = pairs[name] / pairs[f"{name}_reference"]
        pairs[f"{name}_difference"] = pairs[name] - pairs[f"{name}_reference"]
    return pairs
