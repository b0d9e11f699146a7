"""Write tables and results documents in Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from figures.markdown import picture

from .experiment import Charted, Experiment, Measurement

GOALS: Final = {"experiment": "{title}", "goal": "{text}", "measured": "{figure}", "verdict": "{verdict}"}
PROVENANCE: Final = {
    "experiment": "{title}",
    "name": "`{name}`",
    "file": "[{name}.json]({name}.json)",
    "date": "{date:.10}",
    "machine": "{machine}",
    "load before": "{load_average_before}",
    "gender models": "{served}",
    "seed": "{seed}",
}


def table(rows: pd.DataFrame | Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> str:
    """Format rows as a Markdown table.

    Args:
        rows: The values by name.
        columns: A `str.format` template for the cells of each heading, such as `{p50_ms:.1f}`. NaN and None give an
            empty cell.
    """
    values: Any = rows.to_dict("records") if isinstance(rows, pd.DataFrame) else rows
    cells = [[_cell(template, row) for template in columns.values()] for row in values]
    frame = pd.DataFrame(cells, columns=list(columns), dtype=object)
    return str(frame.to_markdown(index=False, tablefmt="github", disable_numparse=True))


def _cell(template: str, row: Mapping[str, Any]) -> str:
    cell = template.format(**{name: float("nan") if value is None else value for name, value in row.items()})
    return "" if cell == "nan" else cell


@dataclass(frozen=True)
class Document:
    """A results document about several experiments; `python -m COMMAND report` writes it to `file`."""

    command: str
    title: str
    file: str
    introduction: str
    experiments: Sequence[Experiment]

    def markdown(self, folder: Path) -> str:
        """Return the document about the results in `folder`.

        Raises:
            FileNotFoundError: An experiment has no results in `folder`.
        """
        results = [(experiment, experiment.read(folder)) for experiment in self.experiments]
        files = [_provenance(experiment, measurement) for experiment, measurement in results]
        sections = [section(experiment, measurement) for experiment, measurement in results]
        return f"""# {self.title}

Written by `python -m {self.command} report`. Each experiment runs again with `python -m {self.command} NAME`.

{self.introduction}

## Goals

{goals_table(results)}

## Provenance

{table(files, PROVENANCE)}

{chr(10).join(sections)}"""


def _provenance(experiment: Experiment, measurement: Measurement) -> dict[str, Any]:
    about = {"load_average_before": None, "served": {}, **measurement.metadata}
    versions = sorted({str(version) for version in about["served"].values()})
    served = f"version {', '.join(versions)}" if versions else "not recorded"
    return {**about, "served": served, "title": experiment.title, "name": experiment.name}


def goals_table(results: Sequence[tuple[Experiment, Measurement]]) -> str:
    """Return the goals of experiments with the figures measured for them."""
    rows = [
        {"title": experiment.title, **goal._asdict(), "verdict": "met" if goal.met else "**not met**"}
        for experiment, measurement in results
        for goal in experiment.goals(measurement)
    ]
    return table(rows, GOALS)


def section(experiment: Experiment, measurement: Measurement) -> str:
    """Return the section about one experiment, with its chart if it has one."""
    chart = f"\n{picture(experiment.title, f'{experiment.name}.png')}\n" if isinstance(experiment, Charted) else ""
    return f"## {experiment.title}\n\n{experiment.table(measurement)}\n{chart}"
