"""Tables of `results/versions.json` and `results/graph_latency.json` for the model card."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from training.report import markdown_table

# The measures of one group, by label such as `mobilenet 3`.
Group = Mapping[str, Mapping[str, Any]]
# Groups by name.
Set = Mapping[str, Group]

_MEASURES: Final = {
    "AUC": "auc",
    "accuracy": "accuracy",
    "accuracy of the surest 90% of the users": "accuracy_at_90",
    "accuracy of the surest 80% of the users": "accuracy_at_80",
    "macro F1": "macro_f1",
    "Brier score": "brier",
    "calibration error, women and men weighted alike": "balanced_ece",
    "wrong with more than 90%": "surely_wrong",
    "recall of women minus that of men": "recall_gap",
}
_FAIRNESS: Final = {
    "accuracy": "accuracy",
    "recall of women minus that of men": "recall_gap",
    "P(female) too high by": "calibration_in_the_large",
}
_SIGNED: Final = ("recall_gap", "calibration_in_the_large")


def comparison(sets: Mapping[str, Set]) -> str:
    """Return a table with one column per version: all measures of each set, then the AUC of each of its groups."""
    labels = list(next(iter(sets.values()))["all"])
    rows = []
    for name, groups in sets.items():
        for group, measures in groups.items():
            kind, _, value = group.partition(" ")
            title, first = f"{name}, {value}" if value else name, measures[labels[0]]
            keys = _MEASURES if kind == "all" else {"AUC": "auc"} if kind in ("source", "pattern", "set") else {}
            for measure, key in keys.items() if "auc" in first else ():
                rows.append((f"{title}: {measure}", _users(measures), *(_cell(measures[x], key) for x in labels)))
            if "neutral" in first:
                doubts = (_doubt(measures[label]) for label in labels)
                rows.append((f"{title}, no gender shown: P(female)", str(int(first["neutral"]["users"])), *doubts))
    return markdown_table(rows, ("", "users", *labels))


def cost(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of `graph_latency.json`: what a batch costs in each version, with nine tenths of the rounds."""
    cells = [
        (
            f"{row['backbone']} {row['after_version']} against {row['before_version']}",
            str(row["batch"]),
            f"{row['before_ms']:.2f}",
            f"{row['after_ms']:.2f}",
            f"{row['ratio']:.2f} ({row['ratio_low']:.2f} to {row['ratio_high']:.2f})",
        )
        for row in rows
    ]
    return markdown_table(cells, ("", "users in the batch", "earlier, ms", "now, ms", "ratio"))


def fairness(groups: Set) -> str:
    """Return a table of the newest version of each backbone by origin and age, with 95% intervals."""
    labels = newest(groups["all"])
    rows = [
        (group, _users(measures), measure, *(_cell(measures[label], key) for label in labels))
        for group, measures in _people(groups).items()
        for measure, key in _FAIRNESS.items()
    ]
    return markdown_table(rows, ("", "pictures", "", *labels))


def recall_gaps(groups: Set) -> str:
    """Return a Markdown list: where the newest version of each backbone recognizes one gender less often.

    Groups count by origin and age, if the interval of the gap does not contain 0.
    """
    lines = []
    for label in newest(groups["all"]):
        people = {group: measures[label] for group, measures in _people(groups).items()}
        women = ", ".join(group for group, each in people.items() if each["recall_gap_high"] < 0) or "no group"
        men = ", ".join(group for group, each in people.items() if each["recall_gap_low"] > 0) or "no group"
        lines.append(
            f"- `{label}` recognizes women less often than men in: {women}; men less often than women in: {men}."
        )
    return "\n".join(lines)


def newest(group: Group) -> list[str]:
    """Return the label of the newest version of each backbone."""
    latest: dict[str, str] = {}
    for label in sorted(group, key=lambda label: int(label.split()[1])):
        latest[label.split()[0]] = label
    return [latest[backbone] for backbone in sorted(latest)]


def _people(groups: Set) -> Set:
    """Return the groups by origin and age that have both genders."""
    return {
        group: measures
        for group, measures in groups.items()
        if group.split(" ")[0] in ("origin", "age") and all("auc" in each for each in measures.values())
    }


def _users(measures: Group) -> str:
    first = next(iter(measures.values()))
    return f"{first['users']} ({first['identities']} identities)" if "users" in first else ""


def _cell(measures: Mapping[str, Any], key: str) -> str:
    style = "+.1%" if key in _SIGNED else ".3f" if key in ("auc", "balanced_ece", "macro_f1", "brier") else ".1%"
    value, low, high = (format(measures[f"{key}{end}"], style) for end in ("", "_low", "_high"))
    return f"{value} ({low} to {high})"


def _doubt(measures: Mapping[str, Any]) -> str:
    return "{mean:.2f} ± {spread:.2f}".format(**measures["neutral"])
