"""The results of the loop as Markdown and as a figure, beside what article 003 reports."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from figures.axes import legend_above
from figures.colors import BLUE, colors_of
from figures.markdown import picture
from figures.style import WIDTH, theme

from ..report import markdown_table
from . import article
from .cold_start import PRECISION_AT
from .comparisons import ALL, BOTH, CLEANED, CLEANLAB, MINED_SECOND, O2U
from .results import PRECISION, RECALL, SINGLE
from .views import STRONG

_MEASURES: Final = {
    "pr_auc": "PR-AUC",
    "precision_at_recall": f"precision at recall {RECALL:g}",
    "recall_at_precision": f"recall at precision {PRECISION:g}",
}

# What the parts of the results are called.
_PARTS: Final = {
    "few_shot": "retrieval",
    "cold": "semi-supervised start",
    "rounds": "rounds",
    "selected": "what to label",
    "cleaned": "wrong labels",
    "seconds": "cascade",
    "attention": "attention in blocks",
    "tasks": "one network for all attributes",
}


def markdown(report: Mapping[str, Any]) -> str:
    """Return the report in words and tables."""
    sections: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {
        "few_shot": _few_shot,
        "cold": _cold_start,
        "rounds": _rounds,
        "selected": _selection,
        "cleaned": _cleaning,
        "seconds": _cascade,
        "attention": _attention,
        "tasks": _tasks,
    }
    lines = _head(report)
    for name, section in sections.items():
        if name in report:
            lines += ["", *section(report)]
    return "\n".join([*lines, ""])


def chart(report: Mapping[str, Any]) -> Figure:
    """Draw what labels bring, by round, and the other networks."""
    figure = Figure(figsize=(WIDTH, 4))
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.3))
    rounds = report.get("rounds", [])
    values, errors = _bars(rounds)
    labels = [each["labels"] for each in rounds]
    left.errorbar(labels, values, errors, fmt="o-", color=BLUE, capsize=3, label="after each round")
    left.set(xlabel="labels", ylabel=f"PR-AUC at a prevalence of {report['prevalence']:g}")
    left.set_ylim(bottom=0)
    left.axhline(report["prevalence"], color=theme().muted, linestyle=":", label="random scores")
    legend_above(left)
    left.yaxis.set_major_formatter(PercentFormatter(1))
    rows = {
        **{f"start: {name}": each for name, each in report["cold"].items()},
        **{f"labels: {name}": each for name, each in report.get("cleaned", {"networks": {}})["networks"].items()},
        **{f"choice: {name}": each for name, each in report.get("selected", {"strategies": {}})["strategies"].items()},
        **({"attention": report["attention"]["with"]} if "attention" in report else {}),
    }
    values, errors = _bars(list(rows.values()))
    kinds = [name.split(":")[0] for name in rows]
    colors = colors_of(kinds)
    for place, (kind, value, low, high) in enumerate(zip(kinds, values, *errors, strict=True)):
        right.errorbar(value, place, xerr=[[low], [high]], fmt="o", color=colors[kind], capsize=3)
    right.set_yticks(range(len(rows)), list(rows))
    right.axvline(report["prevalence"], color=theme().muted, linestyle=":")
    right.set(ylim=(len(rows) - 0.5, -0.5), xlabel="PR-AUC, 95% interval")
    right.xaxis.set_major_formatter(PercentFormatter(1))
    return figure


def _head(report: Mapping[str, Any]) -> list[str]:
    config, compared = report["config"], _article(report)
    sizes = "; ".join(
        f"{name}: {each['pictures']}, {each['positives']} unsuitable" for name, each in report["sets"].items()
    )
    missing = [_PARTS[name] for name in report["not_measured"]]
    if CLEANLAB not in report.get("cleaned", {}).get("wrong_of_suspected", {}):
        missing.append(f"confident learning ({CLEANLAB})")
    return [
        "# Growing and cleaning a training set",
        "",
        *_summary(compared),
        "",
        "Written by `python -m training.curation.loop`. Percent, with 95% intervals over motif designs "
        f"{'and seeds' if len(report['seeds']) > 1 else 'for one seed'}. Seeds: "
        f"{', '.join(map(str, report['seeds']))} of {report['planned_seeds']} planned. All measures are at a "
        f"prevalence of {report['prevalence']:g}, on test pictures whose motif designs no training picture has. "
        f"Random scores have a PR-AUC of {100 * report['prevalence']:.2f}. "
        + (f"Not measured: {', '.join(missing)}." if missing else ""),
        "",
        f"Pictures of {config['trunk']['size']} pixels ({sizes}); {_network(config['trunk'])}; {config['steps']} "
        f"batches of 64 per training; {config['error_rate']:.0%} of the answers of annotators are wrong. The trainings "
        f"of one seed took {max(report['cpu_s']) / 60:.0f} processor minutes. The article's networks are pretrained, "
        "larger, trained as a whole, and see photos of a shop.",
        "",
        "## The article's figures",
        "",
        markdown_table(compared, ["", "article", "ours", ""]),
        "",
        picture("PR-AUC after each round, and of the other networks", "curation.png"),
    ]


def _summary(compared: list[tuple[str, ...]]) -> list[str]:
    """Say first what of the article is reproduced and what is not."""
    verdicts = ("same direction", "undecided", "not reproduced")
    found = {each: [row[0] for row in compared if row[-1].startswith(each)] for each in verdicts}
    return [f"- **Of the article, {verdict}**: {'; '.join(names)}." for verdict, names in found.items() if names]


def _network(trunk: Mapping[str, Any]) -> str:
    if "width" in trunk:
        return f"residual networks of width {trunk['width']} that start from nothing"
    return (
        "networks that start from ImageNet's MobileNetV2, whose first blocks are frozen; training sees "
        f"{STRONG} random views of each picture, computed once"
    )


def _few_shot(report: Mapping[str, Any]) -> list[str]:
    found = zip(PRECISION_AT, report["few_shot"]["precision"], strict=False)
    return [
        "## Few-shot start",
        "",
        f"Of the pool, {report['few_shot']['share_of_positives']:.1%} are unsuitable. Of the pictures nearest to the "
        f"first positives by the gallery's vectors, {', '.join(f'{share:.1%} of the first {k}' for k, share in found)} "
        "are.",
    ]


def _cold_start(report: Mapping[str, Any]) -> list[str]:
    return [markdown_table(_rows(report["cold"]), ["", *_MEASURES.values(), "gain in PR-AUC"])]


def _rounds(report: Mapping[str, Any]) -> list[str]:
    rows = [
        (str(number), str(each["labels"]), str(each["positives"]), *_cells(each))
        for number, each in enumerate(report["rounds"], 1)
    ]
    return ["## Rounds", "", markdown_table(rows, ["round", "labels", "unsuitable", *_MEASURES.values()])]


def _cleaning(report: Mapping[str, Any]) -> list[str]:
    cleaning = report["cleaned"]
    wrong = cleaning["wrong_of_suspected"]
    found = ", ".join(f"{each:.1%} by {name}" for name, each in wrong.items() if name != CLEANLAB)
    flagged = ""
    if CLEANLAB in wrong:
        flagged = f" Of the {cleaning['suspected'][CLEANLAB]} that cleanlab flags, {wrong[CLEANLAB]:.1%} are."
    return [
        "## Wrong labels",
        "",
        f"Of {cleaning['labels']} labels, {cleaning['wrong_share']:.1%} are wrong. Of the {article.CHECKED_SHARE:.0%} "
        f"most suspicious of each label, {found} are wrong.{flagged}",
        "",
        markdown_table(_rows(cleaning["networks"]), ["labels", *_MEASURES.values(), "gain in PR-AUC"]),
    ]


def _cascade(report: Mapping[str, Any]) -> list[str]:
    rows = [(name, *_verdicts(each), _share(each.get("second_calls"))) for name, each in report["seconds"].items()]
    return [
        "## Cascade",
        "",
        f"Thresholds of one half, and tuned on validation pictures for a precision of {PRECISION:g}.",
        "",
        markdown_table(
            rows, ["", "precision at ½", "recall at ½", "precision, tuned", "recall, tuned", "negatives that reach it"]
        ),
    ]


def _selection(report: Mapping[str, Any]) -> list[str]:
    rows = [
        (name, str(each["labels"]), *_cells(each), _gain(each))
        for name, each in report["selected"]["strategies"].items()
    ]
    return [
        "## What to label",
        "",
        f"After round 1, each strategy labels a part of the same {report['config']['recalled']} recalled pictures, "
        "without errors, and the network is trained on.",
        "",
        markdown_table(rows, ["", "labels", *_MEASURES.values(), "gain in PR-AUC"]),
    ]


def _attention(report: Mapping[str, Any]) -> list[str]:
    attention = report["attention"]
    rows = [(name, *_cells(attention[name])) for name in ("without", "with")]
    return [
        "## Attention in blocks",
        "",
        markdown_table(rows, ["", *_MEASURES.values()]),
        "",
        f"Gain in PR-AUC: {_gain(attention)}.",
    ]


def _tasks(report: Mapping[str, Any]) -> list[str]:
    rows = [
        (
            name,
            f"{each['share']:.1%}",
            *(_interval(each, kind) for kind in ("alone", "shared")),
            _interval(each, "gain", "+"),
        )
        for name, each in report["tasks"].items()
    ]
    return [
        "## One network for all attributes",
        "",
        "PR-AUC of a network for one attribute, and of one network for all eleven, after as many batches of the same "
        "pictures with right labels; here at the share of the test set, not at the prevalence.",
        "",
        markdown_table(rows, ["", "share", "network for one", "network for all", "gain"]),
    ]


def _article(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the article's figures beside ours, as far as they are measured, and whether ours have their sign."""
    parts = {
        "selected": _share_of_gain,
        "cleaned": _found_and_gained,
        "seconds": _cascade_gains,
        "attention": _attended,
    }
    return [row for name, part in parts.items() if name in report for row in part(report)]


def _share_of_gain(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    strategies = report["selected"]["strategies"]
    if not {BOTH, ALL} <= strategies.keys():
        return []
    share = strategies[BOTH]["labels"] / strategies[ALL]["labels"]
    part, whole = (strategies[name]["pr_auc_gain"] for name in (BOTH, ALL))
    most = "same direction" if part > whole / 2 else "not reproduced"
    return [
        (
            "most of the gain from a part of the labels",
            f"{article.LABELED_SHARE:.0%} of the labels",
            f"{share:.0%} of the labels; {100 * part:+.2f} of {100 * whole:+.2f} points of PR-AUC",
            most if strategies[ALL]["pr_auc_gain_low"] > 0 else "undecided: all labels together bring no sure gain",
        )
    ]


def _found_and_gained(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    found, networks = report["cleaned"]["wrong_of_suspected"][O2U], report["cleaned"]["networks"]
    return [
        (
            f"wrong labels among the {article.CHECKED_SHARE:.0%} checked",
            f"{article.WRONG_OF_CHECKED:.0%}",
            f"{found:.0%} ({report['cleaned']['wrong_share']:.0%} of all labels are wrong)",
            "no verdict: it depends on how many labels are wrong",
        ),
        (
            "gain from checking labels",
            f"{100 * article.CLEANING_PRECISION_GAIN:+.0f} points of precision",
            f"{_gain(networks[CLEANED])} points of PR-AUC",
            _verdict(networks[CLEANED]),
        ),
    ]


def _cascade_gains(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    single, both = (report["seconds"][name]["at_half"] for name in (SINGLE, MINED_SECOND))
    precision, recall = (both[name] - single[name] for name in ("precision", "recall"))
    tuned = report["seconds"][MINED_SECOND]["tuned"]
    higher, lower = both["precision_low"] > single["precision_high"], both["precision_high"] < single["precision_low"]
    return [
        (
            "precision of the cascade for a little recall",
            f"{100 * article.CASCADE_PRECISION_GAIN:+.0f}, {100 * article.CASCADE_RECALL_GAIN:+.1f} points",
            f"{100 * precision:+.2f}, {100 * recall:+.1f} points against its first network, at thresholds of ½",
            "same direction" if higher else "not reproduced" if lower else "undecided",
        ),
        (
            "precision and recall of the last version",
            f"{article.PRECISION:.0%}, {article.RECALL:.0%}",
            f"{100 * tuned['precision']:.0f}%, {100 * tuned['recall']:.0f}%",
            "same direction" if min(tuned["precision"], tuned["recall"]) >= PRECISION else "not reproduced",
        ),
    ]


def _attended(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    attention = report["attention"]
    ours = f"{100 * attention['pr_auc_gain']:+.2f} points of PR-AUC"
    return [("attention in blocks", "better (no figure)", ours, _verdict(attention))]


def _verdict(row: Mapping[str, float]) -> str:
    """Say whether a gain in PR-AUC is sure: its interval is on one side of 0."""
    if row["pr_auc_gain_low"] > 0:
        return "same direction"
    return "not reproduced" if row["pr_auc_gain_high"] < 0 else "undecided"


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
    """Return a share, or with a sign a difference of shares, in percent with its interval, within what is possible."""
    least = -1.0 if sign else 0.0
    value, low, high = (100 * min(max(row[f"{name}{end}"], least), 1.0) for end in ("", "_low", "_high"))
    return f"{value:{sign}.2f} [{low:{sign}.2f}, {high:{sign}.2f}]"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"


def _bars(rows: list[Mapping[str, float]]) -> tuple[list[float], list[list[float]]]:
    """Return the PR-AUC of each row, and the lengths of its interval's arms."""
    values = [row["pr_auc"] for row in rows]
    below = [row["pr_auc"] - row["pr_auc_low"] for row in rows]
    return values, [below, [row["pr_auc_high"] - row["pr_auc"] for row in rows]]
