"""The report of `training.pretrain.tables` as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from figures.markdown import picture

from ..report import markdown_table
from .article import DUAL, FINE_TUNING, IMAGENET, MOCO, SWAV, TABLE_1, TITLED
from .measures import KS, LABELS, NS, PROBE
from .rows import SERVED

_NEIGHBORS = [f"{label}@{k}" for label in LABELS for k in KS]
_RECALLS = [f"recall@{n}" for n in NS]


def describe(report: Mapping[str, Any]) -> str:
    """Return the report in words and tables."""
    pictures = report["pictures"]
    seeds = ", ".join(map(str, report["config"]["seed"]))
    return "\n".join(
        [
            "# Embeddings of pictures",
            "",
            "Written by `python -m training.pretrain.tables`. Percent, with 95 % intervals over cards and seeds "
            f"({seeds}). {_training(report)}The measures are those of {pictures['test']} other pictures: cards drawn "
            "twice. “+ w” is whitened with the statistics of the train pictures. ImageNet is a MobileNetV2 of width 1, "
            f"trained with labels on a million photos; it sees {report['sizes'].get(IMAGENET, '–')} pixels. “Served” "
            f"is the encoder that the repository serves (see Time){_served(report)}. “Untrained” is a "
            f"MobileNetV2 of width {report['config']['width']:g} with random weights, at {report['config']['size']} "
            "pixels. The batch normalization of a new network leaves activations as they are; “normalized” has the "
            f"statistics of the cards, which every training brings. {_left_out(report)}",
            "",
            picture("Consistency over the epochs, and neighbors with the same label by row", "pictures.png"),
            "",
            *_map(report),
            "## Neighbors with the same label, and the linear probe",
            "",
            "Theme and style of the K nearest neighbors by Euclidean distance; the card drawn again is excluded. The "
            "probe predicts the theme.",
            "",
            _table(report, [*_NEIGHBORS, PROBE]),
            "",
            "## The same card drawn again",
            "",
            "Share of pictures with the other drawing of the card among the N nearest.",
            "",
            _table(report, _RECALLS),
            "",
            f"## Fine-tuning on {pictures['labeled']} labeled cards of each theme",
            "",
            "Accuracy of the theme. Each row starts from the encoder of the row above of the same name.",
            "",
            _table(report, [FINE_TUNING]),
            "",
            "## The article",
            "",
            "Style and scene of its table 1, and whether its differences are found here. “Undecided” means that our "
            "interval contains 0.",
            "",
            markdown_table(
                [(row, f"{style:.1%}", f"{scene:.1%}") for row, (style, scene) in TABLE_1.items()],
                ["article", "style", "scene"],
            ),
            "",
            markdown_table(
                [_comparison(each) for each in report["comparisons"]],
                ["first − second", "column", "article", "ours", ""],
            ),
            "",
            *_real(report["real"]),
            "## Time",
            "",
            "Processor seconds of one epoch, all threads together, of the runs that logged them.",
            "",
            markdown_table(
                [
                    (
                        name,
                        str(run["config"]["size"]),
                        str(run["config"]["epochs"]),
                        f"{run['cpu_seconds_per_epoch']:.0f}",
                    )
                    for name, (run, *_) in report["runs"].items()
                    if run["cpu_seconds_per_epoch"] is not None
                ],
                ["run", "pixels", "epochs", "seconds an epoch"],
            ),
            "",
        ]
    )


def _map(report: Mapping[str, Any]) -> list[str]:
    return [picture("Cards at their places in the embedding", "pictures_map.png"), ""] if "map" in report else []


def _left_out(report: Mapping[str, Any]) -> str:
    """Say which rows were not measured."""
    missing = [row for row in (IMAGENET, MOCO, SWAV, DUAL, TITLED, SERVED) if row not in report["rows"]]
    return f"Not measured: {'; '.join(missing)}." if missing else ""


def _training(report: Mapping[str, Any]) -> str:
    """Say how the methods were trained, if any was."""
    methods = [row for row in (MOCO, SWAV, DUAL) if row in report["runs"]]
    if not methods:
        return ""
    config = report["config"]
    return (
        f"Each method trained {config['epochs']} epochs of {report['pictures']['train']} drawn cards without labels, "
        f"at {config['size']} pixels, batch {config['batch']}, width {config['width']:g} of MobileNetV2"
        f"{_start(report, methods)}: far less than the papers, so the rows say how far each method gets in that time. "
    )


def _served(report: Mapping[str, Any]) -> str:
    """Say what the served encoder has trained on, if it was measured."""
    if SERVED not in report["runs"]:
        return ""
    run = report["runs"][SERVED][0]
    return f", trained on a split of {run['pictures']} pictures{_start(report, [SERVED])}"


def _start(report: Mapping[str, Any], rows: Sequence[str]) -> str:
    """Say that rows started from ImageNet weights."""
    runs = [run for row in rows for run in report["runs"].get(row, [])]
    return ", starting from the weights of the row ImageNet" if any(run["weights"] for run in runs) else ""


def _table(report: Mapping[str, Any], columns: Sequence[str]) -> str:
    rows = [
        (name, *(_cell(*(values[column][f"value{end}"] for end in ("", "_low", "_high"))) for column in columns))
        for name, values in report["rows"].items()
        if set(columns) <= values.keys()
    ]
    return markdown_table([*rows, ("chance", *(f"{report['chance'][name]:.1%}" for name in columns))], ["", *columns])


def _cell(value: float, low: float, high: float) -> str:
    return f"{100 * value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def _comparison(each: Mapping[str, Any]) -> tuple[str, ...]:
    ours, low, high = (100 * each[f"ours{end}"] for end in ("", "_low", "_high"))
    return (
        f"{each['first']} − {each['second']}",
        each["column"],
        f"{100 * each['article']:+.1f}",
        f"{ours:+.1f} [{low:+.1f}, {high:+.1f}]",
        each["verdict"],
    )


def _real(collections: Sequence[Mapping[str, Any]]) -> list[str]:
    if not collections:
        return []
    names = list(collections[0]["rows"])
    rows = [
        (
            each["collection"],
            str(each["pictures"]),
            str(each["themes"]),
            "yes" if each["trained"] else "no",
            *(_cell(*(each["rows"][name][key] for key in ("value", "low", "high"))) for name in names),
            f"{each['chance']:.1%}",
        )
        for each in collections
    ]
    return [
        "## Pictures that were not drawn here",
        "",
        "Share of the 10 nearest neighbors by cosine with the picture's theme: a folder of Debian's drawings, a "
        "category of photos, the thing that an emoji shows. No encoder has seen these pictures; where “seen” says so, "
        "the served one has seen others of the collection, but of Caltech 101 no picture of the same category. "
        "Near-duplicates are excluded.",
        "",
        markdown_table(rows, ["", "pictures", "themes", "seen", *names, "chance"]),
        "",
    ]
