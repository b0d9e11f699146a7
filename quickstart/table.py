"""The answers as a table on the terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .answers import Answer


def print_table(answers: Sequence[Answer]) -> None:
    """One line for each sample and backbone."""
    table = Table(caption="weights: how much avatar and nickname counted; a missing one counts nothing")
    for column in ("nickname", "avatar", "backbone", "p(female)", "label", "w avatar", "w nickname", "ms"):
        table.add_column(column, justify="right" if column.startswith(("p(", "w ", "ms")) else "left")
    for index, answer in enumerate(answers):
        new_sample = index == 0 or answers[index - 1].sample is not answer.sample
        table.add_row(*_who(answer, new_sample), answer.model.removeprefix("gender_"), *_what(answer))
    Console(width=None if Console().is_terminal else 110).print(table)


def _who(answer: Answer, new_sample: bool) -> tuple[str, str]:
    if not new_sample:
        return "", ""
    nickname, avatar = answer.sample.nickname, answer.sample.avatar
    return escape(nickname) if nickname else "[dim]none[/]", "[dim]none[/]" if avatar is None else f"{len(avatar):,} B"


def _what(answer: Answer) -> tuple[str, ...]:
    prediction = answer.prediction
    if prediction is None:
        return "", f"[red]{escape(answer.refusal)}[/]", "", "", f"{answer.milliseconds:.1f}"
    colour = {"male": "blue", "female": "magenta"}.get(prediction.gender, "dim")
    return (
        f"{prediction.probabilities.female:.3f}",
        f"[{colour}]{prediction.gender}[/]",
        f"{prediction.weights.avatar:.2f}",
        f"{prediction.weights.nickname:.2f}",
        f"{answer.milliseconds:.1f}",
    )
