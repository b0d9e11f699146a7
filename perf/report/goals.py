"""A goal, and the table of goals that a document begins with."""

from collections.abc import Iterable
from typing import NamedTuple


class Goal(NamedTuple):
    """What is wanted, what was measured, and whether that is enough."""

    text: str
    figure: str
    met: bool


def table(goals: Iterable[Goal]) -> str:
    """The goals, each with its figure beside it."""
    lines = [f"| {goal.text} | {goal.figure} | {'met' if goal.met else '**not met**'} |" for goal in goals]
    return "\n".join(["| goal | measured | |", "|---|---|---|", *lines])
