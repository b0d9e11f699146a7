"""The results of the loop as Markdown and as a figure, beside what article 003 reports."""

from collections.abc import Mapping
from typing import Any, Final

from matplotlib.figure import Figure

from figures.colors import BLUE, colors_of
from figures.style import WIDTH

from ..report import markdown_table
from . import article
from .cold_start import PRECISION_AT
from .comparisons import ALL, BOTH, CLEANED, MINED_SECOND, NOISY, O2U
from .results import PRECISION, RECALL, SINGLE

_MEASURES: Final = {
    "pr_auc": "PR-AUC",
    "precision_at_recall": f"precision at recall {RECALL:g}",
    "recall_at_precision": f"recall at precision {PRECISION:g}",
}


def markdown(report: Mapping[str, Any]) -> str:
    """Return the report in words and tables."""
    sets, config = report["sets"], report["config"]
    sizes = "; ".join(f"{name}: {each['pictures']}, {each['positives']} unsuitable" for name, each in sets.items())
    return "\n".join(
        [
            "# Growing and cleaning a training set",
            "",
            "Written by `python -m training.curation.loop`. Percent, with 95 % intervals over motif designs and seeds. "
            f"Seeds: {', '.join(map(str, report['seeds']))} of {report['planned_seeds']} planned. All measures are at "
            f"a prevalence of {report['prevalence']:g}, on test pictures whose motif designs no training picture has.",
            "",
            f"Pictures of {config['trunk']['size']} pixels ({sizes}); a residual network of width "
            f"{config['trunk']['width']} with {config['trunk']['blocks']} block per stage; {config['steps']} batches "
            f"of 64 per training; {config['error_rate']:.0%} of the answers of annotators are wrong. One seed took "
            f"{max(report['cpu_s']) / 60:.0f} processor minutes of training. The article's networks are pretrained, "
            "larger, and see photos of a shop.",
            "",
            "## The article's figures",
            "",
            markdown_table(_article(report), ["", "article", "ours", ""]),
            "",
            "## Few-shot start",
            "",
            f"Of the pool, {report['few_shot']['share_of_positives']:.1%} are unsuitable. Of the pictures nearest to "
            "the first positives, "
            + ", ".join(
                f"{value:.0%} of the first {k}"
                for k, value in zip(PRECISION_AT, report["few_shot"]["precision"], strict=False)
            )
            + " are.",
            "",
            markdown_table(_rows(report["cold_start"]), ["", *_MEASURES.values(), "gain in PR-AUC"]),
            "",
            "## Rounds",
            "",
            markdown_table(
                [
                    (str(number), str(each["labels"]), str(each["positives"]), *_cells(each))
                    for number, each in enumerate(report["rounds"], 1)
                ],
                ["round", "labels", "unsuitable", *_MEASURES.values()],
            ),
            "",
            "## What to label",
            "",
            f"After round 1, each strategy labels a part of the same {config['recalled']} recalled pictures, without "
            "errors, and the network is trained on.",
            "",
            markdown_table(
                [
                    (name, str(each["labels"]), *_cells(each), _gain(each))
                    for name, each in report["selection"]["strategies"].items()
                ],
                ["", "labels", *_MEASURES.values(), "gain in PR-AUC"],
            ),
            "",
            "## Wrong labels",
            "",
            f"Of {report['cleaning']['labels']} labels, {report['cleaning']['wrong_share']:.1%} are wrong. "
            f"Of the {article.CHECKED_SHARE:.0%} most suspicious of each label, "
            + ", ".join(f"{each:.0%} by {name}" for name, each in report["cleaning"]["wrong_of_suspected"].items())
            + " are wrong.",
            "",
            markdown_table(_rows(report["cleaning"]["networks"]), ["labels", *_MEASURES.values(), "gain in PR-AUC"]),
            "",
            "## Cascade",
            "",
            f"Thresholds of one half, and tuned on validation pictures for a precision of {PRECISION:g}.",
            "",
            markdown_table(
                [
                    (name, *_verdicts(each), _share(each.get("second_calls")))
                    for name, each in report["cascade"].items()
                ],
                ["", "precision at ½", "recall at ½", "precision, tuned", "recall, tuned", "negatives that reach it"],
            ),
            "",
            "## Attention in blocks",
            "",
            markdown_table(
                [(name, *_cells(report["attention"][name])) for name in ("without", "with")], ["", *_MEASURES.values()]
            ),
            "",
            f"Gain in PR-AUC: {_gain(report['attention'])}.",
            "",
        ]
    )


def chart(report: Mapping[str, Any]) -> Figure:
    """Draw what labels bring, by round and by strategy."""
    figure = Figure(figsize=(WIDTH, 5.2))
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.3))
    labels = [each["labels"] for each in report["rounds"]]
    left.errorbar(labels, *_bars(report["rounds"]), fmt="o-", color=BLUE, capsize=3)
    left.set(xlabel="labels", ylabel=f"PR-AUC at a prevalence of {report['prevalence']:g}", title="Rounds")
    left.set_ylim(bottom=0)
    rows = {
        **{f"start: {name}": each for name, each in report["cold_start"].items()},
        **{f"label: {name}": each for name, each in report["selection"]["strategies"].items()},
        **{f"labels: {name}": each for name, each in report["cleaning"]["networks"].items()},
        "attention": report["attention"]["with"],
    }
    values, errors = _bars(list(rows.values()))
    kinds = [name.split(":")[0] for name in rows]
    colors = colors_of(kinds)
    for place, (kind, value, low, high) in enumerate(zip(kinds, values, *errors, strict=True)):
        right.errorbar(value, place, xerr=[[low], [high]], fmt="o", color=colors[kind], capsize=3)
    right.set_yticks(range(len(rows)), list(rows))
    right.set(ylim=(len(rows) - 0.5, -0.5), xlabel="PR-AUC", title="Start, choice, cleaning, attention")
    return figure


def _article(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the article's figures beside ours, and whether ours have their sign."""
    strategies, cascade, cleaning = report["selection"]["strategies"], report["cascade"], report["cleaning"]
    share = strategies[BOTH]["labels"] / strategies[ALL]["labels"]
    gains = [strategies[name]["pr_auc_gain"] for name in (BOTH, ALL)]
    single, both = (cascade[name]["at_half"] for name in (SINGLE, MINED_SECOND))
    precision, recall = both["precision"] - single["precision"], both["recall"] - single["recall"]
    cleaned = cleaning["networks"][CLEANED]["precision_at_recall"] - cleaning["networks"][NOISY]["precision_at_recall"]
    attention = report["attention"]["pr_auc_gain"]
    return [
        (
            "labels of band ∪ predicted loss; share of the gain of all labels",
            f"{article.LABELED_SHARE:.0%}; most",
            f"{share:.0%}; {100 * gains[0]:+.1f} of {100 * gains[1]:+.1f} points of PR-AUC",
            _verdict(gains[1] > 0 and gains[0] > gains[1] / 2),
        ),
        (
            f"wrong among the {article.CHECKED_SHARE:.0%} checked",
            f"{article.WRONG_OF_CHECKED:.0%}",
            f"{cleaning['wrong_of_suspected'][O2U]:.0%}",
            _verdict(cleaning["wrong_of_suspected"][O2U] > article.WRONG_OF_CHECKED / 2),
        ),
        (
            "precision from checking them",
            f"{100 * article.CLEANING_PRECISION_GAIN:+.0f} points",
            f"{100 * cleaned:+.1f} points at recall {RECALL:g}",
            _verdict(cleaned > 0),
        ),
        (
            "cascade against its first network: precision, recall",
            f"{100 * article.CASCADE_PRECISION_GAIN:+.0f}, {100 * article.CASCADE_RECALL_GAIN:+.1f} points",
            f"{100 * precision:+.1f}, {100 * recall:+.1f} points at thresholds of ½",
            _verdict(precision > 0 and -recall < precision),
        ),
        (
            "attention in blocks",
            "better (no figure)",
            f"{100 * attention:+.1f} points of PR-AUC",
            _verdict(attention > 0),
        ),
    ]


def _verdict(reproduced: bool) -> str:
    return "same direction" if reproduced else "not reproduced"


def _rows(networks: Mapping[str, Mapping[str, float]]) -> list[tuple[str, ...]]:
    """Return a row for each network; the first has no gain over itself."""
    return [
        (name, *_cells(each), _gain(each) if number else "–") for number, (name, each) in enumerate(networks.items())
    ]


def _cells(row: Mapping[str, float]) -> list[str]:
    return [_interval(row, name) for name in _MEASURES]


def _gain(row: Mapping[str, float]) -> str:
    return _interval(row, "pr_auc_gain", "+")


def _verdicts(row: Mapping[str, Mapping[str, float]]) -> list[str]:
    return [_interval(row[kind], name) for kind in ("at_half", "tuned") for name in ("precision", "recall")]


def _interval(row: Mapping[str, float], name: str, sign: str = "") -> str:
    value, low, high = (100 * row[f"{name}{end}"] for end in ("", "_low", "_high"))
    return f"{value:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"


def _bars(rows: list[Mapping[str, float]]) -> tuple[list[float], list[list[float]]]:
    """Return the PR-AUC of each row, and the lengths of its interval's arms."""
    values = [row["pr_auc"] for row in rows]
    below = [row["pr_auc"] - row["pr_auc_low"] for row in rows]
    return values, [below, [row["pr_auc_high"] - row["pr_auc"] for row in rows]]
