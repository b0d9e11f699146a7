"""Write `MODEL_CARD.md`, and the documents and plots of `results/` that training and conversion measure, from its JSON
files, without measuring again: `ablation.{md,png}`, `ranking.{md,png}`, `pictures.{md,png}`, `pictures_map.png`,
`ams.md`, `curation.{md,png}` and `image_size.md`.

python -m conversion.model_card
"""

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from string import Template
from typing import Any, Final

from matplotlib.figure import Figure

from figures.save import save
from training.curation import loop_report
from training.gender import ablation_report
from training.pretrain import tables_figure, tables_markdown
from training.ranking import ablation_report as ranking_report
from training.ranking.ams import report as ams_report
from training.report import markdown_table

from . import card_goals, image_size, tower_tables, version_tables
from .card_goals import Measured

ROOT: Final = Path(__file__).parent.parent
RESULTS: Final = ROOT / "results"
TEMPLATE: Final = Path(__file__).parent / "MODEL_CARD.template.md"

# By model name.
Reports = Mapping[str, Mapping[str, Any]]

_MEASURES: Final[dict[str, Callable[[Any], str]]] = {
    "AUC, all": lambda r: str(r["int8_test"]["all"]["auc"]),
    "recall of women / men, all": lambda r: "{recall_female:.1%} / {recall_male:.1%}".format(**r["int8_test"]["all"]),
    "expected calibration error (ECE), all": lambda r: str(r["int8_test"]["all"]["ece"]),
    "decisions (male, female, unknown) changed by int8": lambda r: f"{r['int8_flips']:.2%}",
    "likelier gender changed by int8": lambda r: f"{r['int8_likelier_changed']:.2%}",
    "largest difference between ONNX and Keras": lambda r: f"{r['parity_max_difference']:.1e}",
    "fp32 / int8, MB": lambda r: f"{r['fp32_bytes'] / 1e6:.1f} / {r['int8_bytes'] / 1e6:.1f}",
    "date": lambda r: str(r["date"]),
    "machine": lambda r: str(r["machine"]),
    "training seed": lambda r: str(r["training"]["config"]["seed"]),
}


def documents() -> dict[Path, str]:
    """Return the text of every document, by file."""
    published = {file.stem.removeprefix("publish_"): _result(file.stem) for file in RESULTS.glob("publish_*.json")}
    # The others are about pictures.
    reports = {name: report for name, report in sorted(published.items()) if "int8_test" in report}
    ablation = _result("ablation")
    measured = Measured(
        published=reports,
        sets=_result("versions")["sets"],
        costs=_result("graph_latency")["rows"],
        towers={name: _result(f"avatars_{name}")["metrics"] for name in reports if _has_result(f"avatars_{name}")},
        nicknames=_result("nicknames")["models"],
    )
    return {
        ROOT / "MODEL_CARD.md": card(measured, ablation, published["picture_encoder"], published["screener"]),
        RESULTS / "ablation.md": ablation_report.markdown(ablation),
        RESULTS / "ams.md": ams_report.document(_result("ams")),
        RESULTS / "ranking.md": ranking_report.markdown(_result("ranking")),
        RESULTS / "pictures.md": tables_markdown.describe(_result("pictures")),
        RESULTS / "curation.md": loop_report.markdown(_result("curation")),
        RESULTS / "image_size.md": image_size.markdown(_result("image_size")["sizes"]),
    }


def plots() -> dict[Path, Callable[[], Figure]]:
    """Return what draws every plot, by file."""
    pictures = _result("pictures")
    drawn = {
        "ablation": partial(ablation_report.chart, _result("ablation")),
        "ranking": partial(ranking_report.chart, _result("ranking")),
        "pictures": partial(tables_figure.chart, pictures),
        "curation": partial(loop_report.chart, _result("curation")),
    }
    if "map" in pictures:
        drawn["pictures_map"] = partial(tables_figure.card_map, pictures)
    return {RESULTS / f"{name}.png": draw for name, draw in drawn.items()}


def card(
    measured: Measured, ablation: Mapping[str, Any], encoder: Mapping[str, Any], screener: Mapping[str, Any]
) -> str:
    """Return the model card.

    Args:
        measured: What was measured of the gender models.
        ablation: The content of `ablation.json`.
        encoder: The report of the picture encoder.
        screener: The report of the screener.
    """
    reports, sets = measured.published, measured.sets
    configs = [report["training"]["config"] for report in reports.values()]
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        files=_listed(
            [
                *(f"publish_{name}" for name in (*reports, "picture_encoder", "screener")),
                *(f"avatars_{name}" for name in measured.towers),
                *("versions", "nicknames", "graph_latency", "ablation"),
            ]
        ),
        unknown_below=max(report["unknown_below"] for report in reports.values()),
        precision=f"{min(config['precision'] for config in configs):.0%}",
        data=_data(),
        measured=table(reports),
        decided=decided(reports),
        unseen_sources=unseen_sources(reports),
        goals=card_goals.table(measured),
        versions=version_tables.comparison(sets),
        cost=version_tables.cost(measured.costs),
        fairness=version_tables.fairness(sets["pictures"]),
        faces=tower_tables.faces(measured.towers),
        gaps=version_tables.recall_gaps(sets["pictures"]),
        ablation=ablation_report.table(ablation),
        pictures=pictures(encoder),
        screening=screening(screener["by_manifest"]),
    )


def table(reports: Reports) -> str:
    """Return a Markdown table with one column per model: every slice that any model has, then the other measures."""
    slices = {name: metrics for report in reports.values() for name, metrics in report["int8_test"].items()}
    rows = [
        (f"accuracy, {name}", _ceiling(metrics), *(_accuracy(r["int8_test"].get(name)) for r in reports.values()))
        for name, metrics in slices.items()
    ]
    rows += [(label, "", *map(measure, reports.values())) for label, measure in _MEASURES.items()]
    return markdown_table(rows, ("", "ceiling", *reports))


def decided(reports: Reports) -> str:
    """Return a Markdown table with the threshold of each model: by present inputs, coverage and accuracy there."""
    rows = []
    for name, report in reports.items():
        for pattern, each in report["int8_test_decided"].items():
            metrics = each["summary"]
            shares = (f"{metrics[key]:.1%}" if metrics else "" for key in ("accuracy", "recall_female", "recall_male"))
            rows.append((name, str(report["unknown_below"]), pattern, f"{each['share']:.1%}", *shares))
    columns = ("", "unknown below", "users with", "decided", "correct", "recall of women", "recall of men")
    return markdown_table(rows, columns)


def unseen_sources(reports: Reports) -> str:
    """Return a Markdown table of fp32 and int8 on users of sources that quantization and calibration did not see."""
    rows = []
    # A manifest may have the same sources in all splits.
    for name, report in reports.items():
        if not (each := report.get("unseen_sources")):
            continue
        figures = (each[kind][key] for key in ("auc", "log_loss") for kind in ("fp32", "int8"))
        # Users of one gender have no AUC.
        cells = ("" if figure is None else f"{figure:.3f}" for figure in figures)
        rows.append((name, str(each["int8"]["users"]), *cells, f"{each['int8_flips']:.1%}"))
    columns = ("", "users", "AUC, fp32", "AUC, int8", "log loss, fp32", "log loss, int8", "decisions changed")
    return markdown_table(rows, columns)


def pictures(encoder: Mapping[str, Any]) -> str:
    """Return a Markdown table of the label consistency of the picture encoder."""
    rows = [(label, f"{each['fp32']:.3f}", f"{each['int8']:.3f}") for label, each in encoder["consistency"].items()]
    rows.append(("mean cosine with fp32", "1", f"{encoder['int8_cosine']['mean']:.3f}"))
    return markdown_table(rows, (f"{encoder['gate_pictures']} test pictures", "fp32", "int8"))


def screening(by_manifest: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a Markdown table of what the screener finds and wrongly finds in each set of test pictures."""
    rows = []
    for title, measured in by_manifest.items():
        for name, each in measured["found"].items():
            rows.append(
                (
                    title,
                    f"`{name}`",
                    "" if each["auc"] is None else f"{each['auc']:.3f}",
                    f"{each['found']} of {each['positives']}",
                    f"{each['false']} of {each['negatives']}",
                    "{:.0%} to {:.0%}".format(*each["precision_95"]) if "precision_95" in each else "",
                )
            )
        wrong = f"{measured['false_refusals']:.2%} of {measured['good_pictures']}"
        rows.append((title, "any, of good pictures", "", "", wrong, ""))
    return markdown_table(rows, ("test pictures", "attribute", "AUC", "found", "wrongly found", "precision"))


def main() -> None:
    for file, text in documents().items():
        file.write_text(text, encoding="utf-8")
        print(file)
    for file, draw in plots().items():
        save(draw, file)
        print(file)


def _has_result(name: str) -> bool:
    return (RESULTS / f"{name}.json").is_file()


def _result(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return content


def _listed(names: list[str]) -> str:
    *files, last = [f"`results/{name}.json`" for name in names]
    return ", ".join(files) + " and " + last


def _data() -> str:
    """Return the table of sources in `training/README.md`."""
    section = (ROOT / "training" / "README.md").read_text(encoding="utf-8").split("## Data of the published weights")[1]
    return "\n".join(line for line in section.splitlines() if line.startswith("|"))


def _ceiling(metrics: Mapping[str, Any]) -> str:
    return f"{metrics['ceiling']:.1%}" if "ceiling" in metrics else ""


def _accuracy(metrics: Mapping[str, Any] | None) -> str:
    if metrics is None:
        return "no such users"
    name = "expected_accuracy" if "expected_accuracy" in metrics else "accuracy"
    accuracy, low, high = (metrics[f"{name}{end}"] for end in ("", "_low", "_high"))
    # Resamples of a few identities may all be alike, which is no narrow interval.
    interval = "no interval" if low == high else f"{low:.1%} to {high:.1%}"
    return f"{accuracy:.1%} ({interval}, {metrics['users']} users)"


if __name__ == "__main__":
    main()
