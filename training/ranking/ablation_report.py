"""The document and the chart of `training.ranking.ablate`, from the content of `results/ranking.json`."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure

from figures.axes import legend_above
from figures.colors import BLUE, ORANGE
from figures.markdown import picture
from figures.style import WIDTH, theme

from ..report import interval, markdown_table
from .ablation_results import GOALS, LENGTHS, MAX_ECE
from .ablation_rows import PUBLISHED

_SERVED: Final = "served: no ids"
_EXACT: Final = "served, exact vectors"
_ARTICLE: Final = "ids, + both"
_IDS: Final = "ids"


def markdown(report: Mapping[str, Any]) -> str:
    """Return the document."""
    rows = report["rows"]
    above = [name for name, row in rows.items() if any(row[part]["above_ceiling"] for part in GOALS)]
    few = sorted({len(row["seeds"]) for row in rows.values()})
    return f"""# Ranking in a world of known tastes

{_goals(report)}

- Rows that rank better than their ceiling by more than chance, which would mean a leak: {", ".join(above) or "none"}.
- Seeds of a row: {" or ".join(map(str, few))} of {report["planned_seeds"]} planned. With one seed, an interval leaves
  out how much a seed changes.
- Not trained: {"; ".join(report["not_trained"]) or "none"}.

{_missing(rows)}

Written by `python -m training.ranking.ablate`, with the vectors `{report["vectors"]}`. Every row is trained on
{report["train_sessions"]:,} sessions of {report["shown"]} shown pictures, `{PUBLISHED}` on twice as many, as the
ranker in the repository is. All are measured on {report["measured_sessions"]:,} sessions of the next day.
{report["unseen_impressions"]:,} of their impressions are of
pictures that are new on that day. The world, its {report["pictures"]:,} pictures and the users stay the same; seeds are
those of weights, order and dropout. In a warm start, yesterday's model is trained first, on all but the last day.

## Rows

GAUC − 0.5 is compared with that of the exact P(like) for what the row knows. The article's numbers are of Taobao's ads:
compare their order, not their size. Coverage and Gini are of the ten best of all pictures of the day, for
{next(iter(rows.values()))["list_users"]} users.

{picture("GAUC of every row on all and on unseen pictures, with intervals and ceilings", "ranking.png")}

{markdown_table((_line(name, row) for name, row in rows.items()), _COLUMNS)}

## Pairs

Difference in GAUC on the same users and seeds, with 95% intervals over users and seeds:

{markdown_table(map(_pair, report["pairs"]), ("", "against", "all", "unseen pictures", "seeds"))}

## Gender, by length of history

What the gender adds to the served ranker, and what it can add:

{markdown_table(_gender(report), _GENDER_COLUMNS)}

## Ceilings

The exact P(like), by enumeration of the taste types, for each kind of knowledge:

{markdown_table((_ceiling(name, parts) for name, parts in report["ceilings"].items()), _CEILING_COLUMNS)}
"""


_COLUMNS: Final = (
    *("", "article", "GAUC", "of the ceiling", "unseen: GAUC", "unseen: of the ceiling"),
    *("AUC", "NDCG@10", "ECE", "coverage", "Gini", "skipped users", "seeds"),
)
_GENDER_COLUMNS: Final = (
    *("liked pictures", "users", "served", "its ceiling"),
    *("without gender", "its ceiling", "difference"),
)
_CEILING_COLUMNS: Final = ("", "GAUC", "AUC", "NDCG@10", "log loss", "GAUC, unseen pictures")


def chart(report: Mapping[str, Any]) -> Figure:
    """Plot the GAUC of every row, on all and on unseen pictures, with intervals and ceilings."""
    rows = report["rows"]
    figure = Figure(figsize=(WIDTH, 0.36 * len(rows) + 1.2))
    axes = figure.subplots()
    for offset, part, color, marker in ((-0.16, "all", BLUE, "o"), (0.16, "unseen", ORANGE, "s")):
        values = np.array([row[part]["gauc"] for row in rows.values()])
        ends = np.array([[row[part]["gauc_low"], row[part]["gauc_high"]] for row in rows.values()]).T
        places = np.arange(len(rows)) + offset
        axes.errorbar(
            values, places, xerr=np.abs(ends - values), fmt=marker, color=color, capsize=3, label=f"{part} pictures"
        )
        limits = [row[part]["ceiling"] for row in rows.values()]
        axes.scatter(limits, places, marker="|", s=60, color=theme().ink, label="ceiling" if part == "all" else None)
    axes.axvline(0.5, color=theme().muted, linestyle=":", label="chance")
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel="GAUC, 95% interval")
    legend_above(axes)
    return figure


def _goals(report: Mapping[str, Any]) -> str:
    """Return one line for each goal."""
    rows, lines = report["rows"], []
    for name in (PUBLISHED, _SERVED, _EXACT, _ARTICLE):
        if name in rows:
            for part, goal in GOALS.items():
                share = rows[name][part]["share"]
                lines.append(
                    _verdict(share >= goal, f"`{name}`, {part} pictures: {share:.1%} of the ceiling", f"{goal:.0%}")
                )
            ece = rows[name]["all"]["ece"]
            lines.append(_verdict(ece <= MAX_ECE, f"`{name}`: calibration error {ece:.3f}", f"at most {MAX_ECE}"))
    if _IDS in rows:
        gauc = rows[_IDS]["unseen"]["gauc"]
        # The prior of an unseen picture is the same for all, and so is its id.
        lines.append(_verdict(abs(gauc - 0.5) <= 0.01, f"`{_IDS}`, unseen pictures: GAUC {gauc:.3f}", "0.50 ± 0.01"))
    return "\n".join(lines)


def _missing(rows: Mapping[str, Any]) -> str:
    """Say what of the gap to the ceiling is the picture encoder's, and what the ranker's."""
    if not (_SERVED in rows and _EXACT in rows):
        return ""
    served, exact = (rows[name]["all"]["share"] for name in (_SERVED, _EXACT))
    return f"""From exact vectors, theme and style can be read. With them, the same ranker reaches {exact:.1%} of the
ceiling instead of {served:.1%}: {exact - served:.1%} are lost in the picture encoder's vectors, and {1 - exact:.1%} in
the ranker and its short training."""


def _verdict(reached: bool, value: str, goal: str) -> str:
    return f"- {'Reached' if reached else '**Missed**'}: {value} (goal {goal})."


def _line(name: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    everything, unseen = row["all"], row["unseen"]
    return (
        name,
        row["article"],
        interval(everything, "gauc", ".4f"),
        _share(everything),
        interval(unseen, "gauc", ".4f"),
        _share(unseen),
        f"{everything['auc']:.4f}",
        f"{everything['ndcg_10']:.4f}",
        f"{everything['ece']:.3f}",
        f"{row['coverage']:.0%}",
        f"{row['gini']:.2f}",
        f"{everything['skipped']}",
        str(len(row["seeds"])),
    )


def _share(part: Mapping[str, Any]) -> str:
    return "" if part["share"] is None else f"{part['share']:.1%}"


def _pair(pair: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        pair["row"],
        pair["against"],
        *(interval(pair[part], "difference", "+.4f") for part in GOALS),
        str(len(pair["seeds"])),
    )


def _gender(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows, without = report["rows"], "served, without gender"
    pair = next((each for each in report["pairs"] if each["against"] == without), None)
    if pair is None:
        return []
    return [
        (
            label,
            str(rows[_SERVED]["by_length"][label]["users"]),
            *(
                f"{rows[name]['by_length'][label][key]:.4f}"
                for name in (_SERVED, without)
                for key in ("gauc", "ceiling")
            ),
            interval(pair[label], "difference", "+.4f"),
        )
        for label in LENGTHS
        if label in rows[_SERVED]["by_length"]
    ]


def _ceiling(name: str, parts: Mapping[str, Any]) -> tuple[str, ...]:
    values = (f"{parts['all'][metric]:.4f}" for metric in ("gauc", "auc", "ndcg_10", "log_loss"))
    return (name, *values, f"{parts['unseen']['gauc']:.4f}")
