"""The predictions as a table on the terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .inferences import Inference

TEXT_COLUMNS = ("nickname", "avatar", "backbone", "label")
COLORS = {"male": "blue", "female": "magenta"}
PIPE_WIDTH = 110


def print_table(inferences: Sequence[Sequence[Inference]]) -> None:
    """Print one line for each user and backbone."""
    table = Table(caption="w: the weights of avatar and nickname; the weight of a missing input is 0")
    for column in ("nickname", "avatar", "backbone", "p(female)", "label", "w avatar", "w nickname", "ms"):
        table.add_column(column, justify="left" if column in TEXT_COLUMNS else "right")
    for of_user in inferences:
        for index, inference in enumerate(of_user):
            inputs = ("", "") if index else _inputs(inference)
            table.add_row(*inputs, inference.backbone, *_outputs(inference), f"{inference.latency_ms:.1f}")
    Console(width=None if Console().is_terminal else PIPE_WIDTH).print(table)


def _inputs(inference: Inference) -> tuple[str, str]:
    nickname, avatar, file = inference.user.nickname, inference.user.avatar, inference.user.file
    size = "[dim]none[/]" if avatar is None else f"{len(avatar):,} B"
    return escape(nickname) if nickname else "[dim]none[/]", f"{escape(file)} {size}".strip()


def _outputs(inference: Inference) -> tuple[str, str, str, str]:
    prediction = inference.prediction
    if prediction is None:
        return "", f"[red]{escape(inference.error)}[/]", "", ""
    return (
        f"{prediction.probabilities.female:.3f}",
        f"[{COLORS.get(prediction.gender, 'dim')}]{prediction.gender}[/]",
        f"{prediction.weights.avatar:.2f}",
        f"{prediction.weights.nickname:.2f}",
    )
