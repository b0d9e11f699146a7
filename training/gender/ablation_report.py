"""The table and the picture of `training.gender.ablate`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..evaluation.benchmark import GroundTruth, mcnemar, measure
from ..evaluation.metrics import wilson_interval
from ..report import write_report

# P(female) of the test users by row and seed.
Predictions = Mapping[str, Mapping[int, NDArray[np.float64]]]

# Pairs whose difference is tested on the same users.
PAIRS: Final = (
    ("MobileNetV2", "attention, ImageNet"),
    ("MobileNetV2, distilled", "attention, ImageNet"),
    ("attention", "concat"),
    ("attention, ImageNet", "attention"),
    ("attention, ImageNet", "seed preset"),
)


def write(
    users: GroundTruth, predictions: Predictions, about: Mapping[str, Mapping[str, Any]], manifest: Path, results: Path
) -> dict[str, Any]:
    """Write `ablation.json`, `.md` and `.png` to the folder `results`; returns the rows and pairs.

    `about` says of each row what the `article` reports and how many `epochs` it took.
    """
    rows = {
        name: {**about.get(name, {}), "seeds": {seed: measure(users, female) for seed, female in by_seed.items()}}
        for name, by_seed in predictions.items()
    }
    found = {
        "ceiling": round(users.ceiling, 4),
        "rows": rows,
        "not_trained": [name for name in about if name not in rows],
        "mcnemar": [_pair(users, predictions, *pair) for pair in PAIRS if set(pair) <= predictions.keys()],
    }
    write_report(results / "ablation.json", manifest=manifest.name, **found)
    (results / "ablation.md").write_text(markdown(found), encoding="utf-8")
    chart(found).savefig(results / "ablation.png", dpi=110)
    return found


def table(found: Mapping[str, Any]) -> str:
    """One line for each row, in Markdown, from what `write` put into `ablation.json`."""
    columns = ("", "article", "accuracy", "of the ceiling", "where anybody can tell", "AUC", "ECE", "epochs", "seeds")
    heading = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return "\n".join(heading + [_line(name, row) for name, row in found["rows"].items()])


def markdown(found: Mapping[str, Any]) -> str:
    """The document, from what `write` put into `ablation.json`."""
    pairs = [
        f"- {p['row']} against {p['against']}, seed {p['seed']}: {p['difference']:+.1%}, p = {p['p']:.2g}"
        for p in found["mcnemar"]
    ]
    leaks = [name for name, row in found["rows"].items() if any(seed["leak"] for seed in row["seeds"].values())]
    return f"""# The article's story, retold on users whose ceiling is known

Written by `python -m training.gender.ablate`, like `ablation.json` beside it, which has machine, date and versions. Synthetic
users of `training.synthetic.synthesize`; the ceiling of the test split is {found["ceiling"]:.1%}. Accuracy with the 95 %
interval that so many test users leave; of several seeds the mean, with the accuracy of each in the last column.

{table(found)}

The same users, paired (McNemar, exact):

{chr(10).join(pairs) or "- not both rows of any pair are trained yet"}

Above the ceiling by more than chance, which would be a leak: {", ".join(leaks) or "none"}.

Not trained yet: {"; ".join(found["not_trained"]) or "none"}.
"""


def chart(found: Mapping[str, Any]) -> Figure:
    """Accuracy of every row with its interval, against the ceiling."""
    names = list(found["rows"])
    accuracy = np.array([_mean("accuracy", row) for row in found["rows"].values()])
    reach = np.abs(np.array([_interval(row) for row in found["rows"].values()]).T - accuracy)
    figure = Figure(figsize=(9, 0.45 * len(names) + 1.4), layout="constrained")
    axes = figure.subplots()
    axes.barh(names, accuracy, xerr=reach, color="#72b7b2", error_kw={"ecolor": "#333333", "capsize": 3})
    axes.axvline(found["ceiling"], color="#e45756", linestyle="--", label=f"ceiling {found['ceiling']:.1%}")
    axes.axvline(0.5, color="#999999", linestyle=":", label="tossing a coin")
    for position, value in enumerate(accuracy):
        axes.text(0.505, position, f"{value:.1%}", va="center", fontsize=9)
    axes.invert_yaxis()
    axes.set(xlim=(0.45, 1), xlabel="accuracy on the test users, 95 % interval")
    axes.legend(loc="lower right", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _line(name: str, row: Mapping[str, Any]) -> str:
    low, high = _interval(row)
    cells = (
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
    return f"| {' | '.join(cells)} |"


def _seeds(seeds: Mapping[Any, Mapping[str, Any]]) -> str:
    if len(seeds) == 1:
        return str(next(iter(seeds)))
    return ", ".join(f"{seed}: {found['accuracy']:.1%}" for seed, found in seeds.items())


def _interval(row: Mapping[str, Any]) -> tuple[float, float]:
    users = next(iter(row["seeds"].values()))["users"]
    return wilson_interval(round(_mean("accuracy", row) * users), users)


def _mean(metric: str, row: Mapping[str, Any]) -> float:
    return float(np.mean([seed[metric] for seed in row["seeds"].values()]))


def _pair(users: GroundTruth, predictions: Predictions, row: str, against: str) -> dict[str, Any]:
    seed = min(predictions[row].keys() & predictions[against].keys())
    one, other = ((predictions[name][seed] >= 0.5) == users.female for name in (row, against))
    difference = round(float(one.mean() - other.mean()), 4)
    return {"row": row, "against": against, "seed": seed, "difference": difference, "p": mcnemar(one, other)}
