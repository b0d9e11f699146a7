"""The table and the chart of `training.gender.ablate`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure

from ..arrays import FloatsN
from ..evaluation.benchmark import GroundTruth, mcnemar, measure
from ..evaluation.metrics import wilson_interval
from ..report import markdown_table, write_report

# P(female) of the N test users, [N], by row and seed.
Predictions = Mapping[str, Mapping[int, FloatsN]]

# Pairs of rows to compare on the same users.
PAIRS: Final = (
    ("MobileNetV2", "attention, ImageNet"),
    ("MobileNetV2, distilled", "attention, ImageNet"),
    ("attention", "concat"),
    ("attention, ImageNet", "attention"),
    ("attention, ImageNet", "seed preset"),
)
_COLUMNS: Final = ("", "article", "accuracy", "of the ceiling", "determinable users", "AUC", "ECE", "epochs", "seeds")


def write(
    users: GroundTruth, predictions: Predictions, about: Mapping[str, Mapping[str, Any]], manifest: Path, results: Path
) -> dict[str, Any]:
    """Write `ablation.json`, `.md` and `.png` to the folder `results`, and return the content of the JSON.

    `about` has the `article`'s accuracy and the `epochs` of every row, also of those without predictions.
    """
    rows = {
        name: {**about.get(name, {}), "seeds": {seed: measure(users, female[None]) for seed, female in by_seed.items()}}
        for name, by_seed in predictions.items()
    }
    report = {
        "ceiling": round(users.ceiling, 4),
        "rows": rows,
        "not_trained": [name for name in about if name not in rows],
        "mcnemar": [_compare(users, predictions, *pair) for pair in PAIRS if set(pair) <= predictions.keys()],
    }
    write_report(results / "ablation.json", manifest=manifest.name, **report)
    (results / "ablation.md").write_text(markdown(report), encoding="utf-8")
    chart(report).savefig(results / "ablation.png", dpi=110)
    return report


def table(report: Mapping[str, Any]) -> str:
    """Return a Markdown table with one line per row, from the content of `ablation.json`."""
    lines = [_line(name, row) for name, row in report["rows"].items()]
    return markdown_table(lines, _COLUMNS)


def markdown(report: Mapping[str, Any]) -> str:
    """Return the document, from the content of `ablation.json`."""
    pairs = [
        (p["row"], p["against"], str(p["seed"]), f"{p['difference']:+.1%}", f"{p['p']:.2g}") for p in report["mcnemar"]
    ]
    leaks = [name for name, row in report["rows"].items() if any(seed["leak"] for seed in row["seeds"].values())]
    return f"""# Ablation on synthetic users

Written by `python -m training.gender.ablate`. `ablation.json` has the machine, the date and the versions.

Every model of the article's story, trained on users of `training.synthetic.synthesize`. The best possible accuracy on
the test split, the ceiling, is known: {report["ceiling"]:.1%}. Accuracy is given with its 95% interval. A row with
several seeds shows their mean, and the accuracy of each seed in the last column. Determinable users are those whose
avatar or nickname carries evidence; their column shows the accuracy among them.

{table(report)}

Paired comparisons on the same users (exact McNemar test):

{markdown_table(pairs, ("", "against", "seed", "accuracy difference", "p"))}

Rows significantly above the ceiling, which would indicate a leak: {", ".join(leaks) or "none"}.

Rows not trained yet: {"; ".join(report["not_trained"]) or "none"}.
"""


def chart(report: Mapping[str, Any]) -> Figure:
    """Plot the accuracy of every row, with its interval, against the ceiling."""
    names = list(report["rows"])
    accuracy = np.array([_mean("accuracy", row) for row in report["rows"].values()])
    errors = np.abs(np.array([_interval(row) for row in report["rows"].values()]).T - accuracy)
    figure = Figure(figsize=(9, 0.45 * len(names) + 1.4), layout="constrained")
    axes = figure.subplots()
    axes.barh(names, accuracy, xerr=errors, color="#72b7b2", error_kw={"ecolor": "#333333", "capsize": 3})
    axes.axvline(report["ceiling"], color="#e45756", linestyle="--", label=f"ceiling {report['ceiling']:.1%}")
    axes.axvline(0.5, color="#999999", linestyle=":", label="chance")
    for position, value in enumerate(accuracy):
        axes.text(0.505, position, f"{value:.1%}", va="center", fontsize=9)
    axes.invert_yaxis()
    axes.set(xlim=(0.45, 1), xlabel="accuracy on the test users, 95% interval")
    axes.legend(loc="lower right", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _line(name: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    low, high = _interval(row)
    return (
        name,
        row.get("article", ""),
        f"{_mean('accuracy', row):.1%} ({low:.1%} to {high:.1%})",
        f"{_mean('share_of_ceiling', row):.1%}",
        f"{_mean('determinable_accuracy', row):.1%}",
        f"{_mean('auc', row):.3f}",
        f"{_mean('ece', row):.3f}",
        str(row.get("epochs", "")),
        _seeds(row["seeds"]),
    )


def _seeds(seeds: Mapping[Any, Mapping[str, Any]]) -> str:
    if len(seeds) == 1:
        return str(next(iter(seeds)))
    return ", ".join(f"{seed}: {metrics['accuracy']:.1%}" for seed, metrics in seeds.items())


def _interval(row: Mapping[str, Any]) -> tuple[float, float]:
    users = next(iter(row["seeds"].values()))["users"]
    return wilson_interval(round(_mean("accuracy", row) * users), users)


def _mean(metric: str, row: Mapping[str, Any]) -> float:
    return float(np.mean([seed[metric] for seed in row["seeds"].values()]))


def _compare(users: GroundTruth, predictions: Predictions, row: str, against: str) -> dict[str, Any]:
    """Compare two rows on the first seed that both have."""
    seed = min(predictions[row].keys() & predictions[against].keys())
    correct, other = ((predictions[name][seed] >= 0.5) == users.female for name in (row, against))
    difference = round(float(correct.mean() - other.mean()), 4)
    return {"row": row, "against": against, "seed": seed, "difference": difference, "p": mcnemar(correct, other)}
