"""Summarize experiments that measure several arms in turn, in rounds."""

from collections.abc import Sequence

import pandas as pd


def medians(rows: pd.DataFrame, by: Sequence[str], spread: Sequence[str] = ()) -> pd.DataFrame:
    """Return the median over the rounds of all numeric columns, one row per arm.

    Args:
        rows: One row per round and arm.
        by: The columns that identify an arm.
        spread: Columns whose lowest and highest value the result has too, as `NAME_low` and `NAME_high`.
    """
    arms = rows.groupby(list(by), sort=False)
    summary = arms.median(numeric_only=True).drop(columns="round", errors="ignore")
    for name in spread:
        summary[f"{name}_low"], summary[f"{name}_high"] = arms[name].min(), arms[name].max()
    return summary.reset_index()


def compare(rows: pd.DataFrame, reference: pd.DataFrame, on: Sequence[str], figures: Sequence[str]) -> pd.DataFrame:
    """Compare each row with the reference of the same round: adds `NAME_ratio` and `NAME_difference` of each figure.

    Args:
        rows: One row per round and arm.
        reference: The rows to compare with, one per combination of `on`.
        on: The columns that a row and its reference have in common, among them the round.
        figures: The columns to compare.
    """
    pairs = rows.merge(reference[[*on, *figures]], on=list(on), suffixes=("", "_reference"))
    for name in figures:
        pairs[f"{name}_ratio"] = pairs[name] / pairs[f"{name}_reference"]
        pairs[f"{name}_difference"] = pairs[name] - pairs[f"{name}_reference"]
    return pairs
