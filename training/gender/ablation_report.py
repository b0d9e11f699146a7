"""The document and the chart of `training.gender.ablate`, from the content of `results/ablation.json`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from figures.axes import labels_right, legend_above
from figures.colors import BLUE
from figures.markdown import picture
from figures.style import WIDTH, theme

from ..report import interval, markdown_table
from .ablation_results import NO_DIFFERENCE, OPPOSITE_DIRECTION, SAME_DIRECTION, UNDECIDED

_COLUMNS: Final = (
    "",
    "article",
    "accuracy",
    "of the ceiling",
    "determinable users",
    "new nicknames",
    "AUC",
    "ECE",
    "epochs",
    "seeds",
)


def table(report: Mapping[str, Any]) -> str:
    """Return a Markdown table with one line per row."""
    return markdown_table((_line(name, row) for name, row in report["rows"].items()), _COLUMNS)


def markdown(report: Mapping[str, Any]) -> str:
    """Return the document."""
    trained, rows = report["trained"], report["rows"]
    leaks = [name for name, row in rows.items() if row["leak"]]
    single = [name for name, row in rows.items() if len(row["seeds"]) == 1]
    unfinished = [
        f"{name} ({len(row['seeds'])} of {row['planned_seeds']} seeds)"
        for name, row in rows.items()
        if len(row["seeds"]) < row["planned_seeds"]
    ]
    return f"""# Ablation on synthetic users

{_verdicts(report["claims"])}

{markdown_table(map(_claim, report["claims"]), ("claim", "article", "here, 95% interval", "seeds", "verdict"))}

A direction is shown if the interval, over several seeds, excludes 0. If it contains the article's difference, too, the
data is too little to decide. The article's sizes cannot be compared: its users have another ceiling. It trained
FastText on 15 million users and its other models on 3 million, so its first difference is also one of data; here, all
rows have the same users, and the models of both towers as many epochs. Concat and attention have a loss of each tower
and inputs that are dropped at random; the row "concat, one loss, no dropped inputs" is without. The published models
are trained on other users and are no rows here: the [model card](../MODEL_CARD.md) has them beside version 2.

Not finished in the time of this run: {"; ".join(unfinished) or "none"}.
Not trained: {"; ".join(report["not_trained"]) or "none"}.
The same command continues with them.

Written by `python -m training.gender.ablate`. Trained on {"; ".join(trained["machines"])},
{" to ".join(trained["dates"])}, with {", ".join(trained["versions"])}, preprocessing
{", ".join(digest[:12] for digest in trained["prep_digests"])}.

## Rows

Every model of the article's story, trained on users of `training.synthetic.synthesize`. All models of both towers start
from a text tower that was pretrained on the same nicknames, with the same seed. Accuracy is that of
{report["users"]:,} test users, scored by the exact posterior of each user instead of the drawn gender. The ceiling, the
best possible accuracy, is {report["ceiling"]:.1%}. Determinable users are those whose avatar or nickname carries
evidence; their column shows the accuracy among them. New nicknames are the {report["new_nicknames"]:,} that no train
user has. Users with a picture of a source for training only are left out.

{picture("Accuracy of every row, with its interval, and the ceiling", "ablation.png")}

{table(report)}

The 95% intervals hold for other identities (the {report["identities"]:,} portraits, designs, photos and drawings of the
test users are resampled, not the users) and for other seeds. The last column shows the accuracy of each seed. Rows with
one seed: {"; ".join(single) or "none"}. Their intervals leave out how much a seed changes, so no claim rests on them.

## Pairs

The same users and the same seeds, with and without a change:

{markdown_table(map(_pair, report["pairs"]), ("", "against", "difference in accuracy, 95% interval", "seeds", "shown"))}

A difference is shown if its interval, over several seeds, excludes 0.

Rows whose drawn labels are right more often than the posteriors allow, which would indicate a leak:
{", ".join(leaks) or "none"}.
"""


def chart(report: Mapping[str, Any]) -> Figure:
    """Plot the accuracy of every row, with its interval, against the ceiling."""
    names, rows = list(report["rows"]), list(report["rows"].values())
    accuracy = np.array([row["accuracy"] for row in rows])
    limits = np.array([[row["accuracy_low"], row["accuracy_high"]] for row in rows]).T
    seeds = ["" if len(row["seeds"]) > 1 else ", one seed" for row in rows]
    figure = Figure(figsize=(WIDTH, 0.36 * len(names) + 1.2))
    axes = figure.subplots()
    axes.errorbar(accuracy, range(len(rows)), xerr=np.abs(limits - accuracy), fmt="o", color=BLUE, capsize=3)
    axes.axvline(0.5, color=theme().muted, linestyle=":", label="chance")
    axes.axvline(report["ceiling"], color=theme().ink, linestyle="--", label=f"ceiling {report['ceiling']:.1%}")
    axes.set_yticks(range(len(rows)), names)
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel="accuracy on the test users, 95% interval")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    labels_right(axes, [f"{value:.1%}{each}" for value, each in zip(accuracy, seeds, strict=True)])
    legend_above(axes)
    return figure


def _verdicts(claims: Sequence[Mapping[str, Any]]) -> str:
    """Return one sentence for each verdict, what is not reproduced first."""
    sentences = (
        (OPPOSITE_DIRECTION, "Not reproduced, the direction is opposite"),
        (NO_DIFFERENCE, "Not reproduced, no difference is shown"),
        (UNDECIDED, "Undecided, with 0 and the article's difference in the interval, or with one seed"),
        (SAME_DIRECTION, "The same direction"),
    )
    lines = []
    for verdict, sentence in sentences:
        if named := [f"{claim['row']} against {claim['against']}" for claim in claims if claim["verdict"] == verdict]:
            lines.append(f"**{sentence}: {'; '.join(named)}.**")
    return "\n".join(lines) or "No claim of the article was tested."


def _claim(claim: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        f"{claim['row']} against {claim['against']}",
        f"{claim['article']:+.1%}",
        interval(claim, "difference", "+.1%"),
        str(len(claim["seeds"])),
        claim["verdict"],
    )


def _pair(pair: Mapping[str, Any]) -> tuple[str, ...]:
    seeds = len(pair["seeds"])
    shown = pair["difference_low"] > 0 or pair["difference_high"] < 0
    verdict = ("yes" if shown else "no") if seeds > 1 else "one seed"
    return (pair["row"], pair["against"], interval(pair, "difference", "+.1%"), str(seeds), verdict)


def _line(name: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        name,
        row["article"],
        interval(row, "accuracy", ".1%"),
        f"{row['share_of_ceiling']:.1%}",
        f"{row['determinable_accuracy']:.1%}",
        "" if row["new_nickname_accuracy"] is None else f"{row['new_nickname_accuracy']:.1%}",
        f"{row['auc']:.3f}",
        f"{row['ece']:.3f}",
        str(row["epochs"]),
        ", ".join(f"{accuracy:.1%}" for accuracy in row["accuracy_by_seed"]) if len(row["seeds"]) > 1 else "one",
    )
