"""The table of the published gender models' goals for the model card, from the result files."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from training.report import markdown_table

from .version_tables import Set, newest

_FACES: Final = "source faces_fairface"
# Groups whose calibration and sure mistakes are limited: sources are too small for that.
_SETS: Final = ("all", "set ")


@dataclass(frozen=True)
class Measured:
    """The content of the result files.

    Args:
        sets: The sets of `versions.json`.
        costs: The rows of `graph_latency.json`.
        towers: The metrics of `avatars_<backbone>.json`, by model.
        nicknames: The models of `nicknames.json`.
        published: The reports of `conversion.publish`, by model.
    """

    sets: Mapping[str, Set]
    costs: Sequence[Mapping[str, Any]]
    towers: Mapping[str, Mapping[str, Any]]
    nicknames: Mapping[str, Mapping[str, Any]]
    published: Mapping[str, Mapping[str, Any]]

    def of(self, model: str, group: str, measure: str, part: str = "pictures") -> float:
        """A measure of the newest version of a model on a group of a set."""
        (label,) = (each for each in newest(self.sets[part]["all"]) if each.split()[0] == model)
        measures = self.sets[part][group][label]
        return float((measures if measure in measures else measures["neutral"])[measure])

    def worst(self, model: str, measure: str) -> float:
        """The highest value of a measure over all sets, each kind of nicknames included."""
        return max(
            self.of(model, group, measure, part)
            for part, groups in self.sets.items()
            for group in groups
            if group.startswith(_SETS) and any(measure in each for each in groups[group].values())
        )


# By model: a figure; the bound of each model; whether the bound is a lower one; a format.
Figure = Callable[[Measured, str], float]


@dataclass(frozen=True)
class Goal:
    """A bound for a figure of each model."""

    text: str
    figure: Figure
    bounds: Mapping[str, float]
    is_lower: bool = False
    style: str = ".3f"

    def is_met(self, figure: float, model: str) -> bool:
        """Whether the rounded figure, which the table shows, keeps the bound."""
        shown, bound = (float(format(value, self.style)) for value in (figure, self.bounds[model]))
        return shown >= bound if self.is_lower else shown <= bound


def _both(bound: float) -> dict[str, float]:
    return {"densenet": bound, "mobilenet": bound}


def _below_all(group: str) -> Figure:
    return lambda measured, model: measured.of(model, _FACES, "auc") - measured.of(model, group, "auc")


def _small(measured: Measured, model: str) -> float:
    clean, small = (measured.towers[model][view][_FACES]["auc"] for view in ("clean", "small"))
    return float(clean - small)


def _above_regression(measured: Measured, model: str) -> float:
    tower, regression = (measured.nicknames[name] for name in ("text tower", "n-gram regression"))
    return min(float(tower[name]["auc"] - regression[name]["auc"]) for name in tower if "auc" in tower[name])


def _behind(measured: Measured, model: str) -> float:
    return measured.of("densenet", "all", "accuracy") - measured.of(model, "all", "accuracy")


def _cost(measured: Measured, model: str) -> float:
    return next(float(row["ratio"]) for row in measured.costs if (row["backbone"], row["batch"]) == (model, 1))


GOALS: Final = (
    Goal("faces: AUC", lambda m, model: m.of(model, _FACES, "auc"), {"densenet": 0.985, "mobilenet": 0.98}, True),
    Goal("East Asian faces: AUC below that of all faces", _below_all("origin East Asian"), _both(0.01)),
    Goal("faces at 45% of the picture: AUC below that of large ones, image tower alone", _small, _both(0.01)),
    Goal("faces: recall of women and men apart", lambda m, x: abs(m.of(x, _FACES, "recall_gap")), _both(0.04)),
    Goal("unseen names: AUC", lambda m, model: m.of(model, "set names", "auc", "nicknames"), _both(0.705), True),
    Goal("nicknames, worst set: AUC above an n-gram regression's, text tower", _above_regression, _both(0.001), True),
    Goal(
        "200 commonest English first names: accuracy",
        lambda m, model: m.of(model, "set census", "accuracy", "nicknames"),
        _both(0.9),
        is_lower=True,
    ),
    Goal(
        "random words: mean of P(female) apart from one half",
        lambda m, model: abs(m.of(model, "set random words", "mean", "nicknames") - 0.5),
        _both(0.03),
    ),
    Goal("random words: spread", lambda m, x: m.of(x, "set random words", "spread", "nicknames"), _both(0.08)),
    Goal("calibration error, worst set", lambda m, x: m.worst(x, "balanced_ece"), _both(0.05)),
    Goal("surely wrong, worst set", lambda m, x: m.worst(x, "surely_wrong"), _both(0.03)),
    Goal("pictures: accuracy below that of DenseNet121", _behind, {"mobilenet": 0.005}),
    Goal("time of version 2's graph for one user", _cost, {"densenet": 0.65, "mobilenet": 0.55}, style=".2f"),
    Goal(
        "MB of the file",
        lambda m, model: m.published[model]["int8_bytes"] / 1e6,
        {"densenet": 16.0, "mobilenet": 12.0},
        style=".1f",
    ),
)


def table(measured: Measured) -> str:
    """Return a table with the goal, the figure and the verdict of each model."""
    models = list(measured.published)
    columns = [title for model in models for title in (model, f"{model}: goal", "")]
    return markdown_table([(goal.text, *_cells(goal, measured, models)) for goal in GOALS], ("", *columns))


def _cells(goal: Goal, measured: Measured, models: Sequence[str]) -> Iterator[str]:
    for model in models:
        if model not in goal.bounds:
            yield from ("", "", "")
            continue
        figure = goal.figure(measured, model)
        sign = "≥" if goal.is_lower else "≤"
        yield format(figure, goal.style)
        yield f"{sign} {goal.bounds[model]:g}"
        yield "met" if goal.is_met(figure, model) else "**not met**"
