"""Write `MODEL_CARD.md`: what the published models are made of, how good they are, and what they are not for.

python -m conversion.model_card
"""

import json
from pathlib import Path
from string import Template
from typing import Any, Final

from training.gender import ablation_report

ROOT: Final = Path(__file__).parent.parent
RESULTS: Final = ROOT / "results"
TEMPLATE: Final = Path(__file__).parent / "MODEL_CARD.template.md"


def table(reports: dict[str, dict[str, Any]]) -> str:
    """Markdown with one column a model; `reports` are those of `conversion.publish` by model name."""
    rows = [("", "possible", *reports), ("---", "---", *("---" for _ in reports))]
    slices = {name: found for report in reports.values() for name, found in report["int8_test"].items()}
    rows += [
        (f"accuracy, {name}", _possible(found), *(_accuracy(r["int8_test"], name) for r in reports.values()))
        for name, found in slices.items()
    ]
    rows += [
        (label, "", *(str(read(report)) for report in reports.values()))
        for label, read in (
            ("AUC, all", lambda r: r["int8_test"]["all"]["auc"]),
            ("recall of women / men, all", lambda r: _recalls(r["int8_test"]["all"])),
            ("calibration error (ECE), all", lambda r: r["int8_test"]["all"]["ece"]),
            ("decisions (male, female, unknown) that int8 changed", lambda r: f"{r['int8_flips']:.2%}"),
            ("likelier genders that int8 changed", lambda r: f"{r['int8_likelier_changed']:.2%}"),
            ("largest difference of ONNX from Keras", lambda r: f"{r['parity_max_difference']:.1e}"),
            ("fp32 / int8, MB", lambda r: f"{r['fp32_bytes'] / 1e6:.1f} / {r['int8_bytes'] / 1e6:.1f}"),
            ("date", lambda r: r["date"]),
            ("machine", lambda r: r["machine"]),
            ("training seed", lambda r: r["training"]["config"]["seed"]),
        )
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def decided(reports: dict[str, dict[str, Any]]) -> str:
    """Markdown with one line a model: its threshold, whom it decides, and how many of these are right, by gender."""
    lines = ["| | unknown below | decided | of these right | women | men |", "|---|---|---|---|---|---|"]
    for name, report in reports.items():
        share, found = report["int8_test_decided"]["share"], report["int8_test_decided"]["summary"]
        right = " | ".join(f"{found[key]:.1%}" if found else "" for key in ("accuracy", "recall_female", "recall_male"))
        lines.append(f"| {name} | {report['unknown_below']} | {share:.1%} | {right} |")
    return "\n".join(lines)


def card(reports: dict[str, dict[str, Any]], ablation: dict[str, Any]) -> str:
    """The whole card from the reports of `conversion.publish`, by model name, and `ablation.json`."""
    configs = [report["training"]["config"] for report in reports.values()]
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        files=", ".join(f"`results/publish_{name}.json`" for name in reports) + " and `results/ablation.json`",
        unknown_below=max(report["unknown_below"] for report in reports.values()),
        precision=f"{min(config['precision'] for config in configs):.0%}",
        data=_data(),
        measured=table(reports),
        decided=decided(reports),
        ablation=ablation_report.table(ablation),
    )


def main() -> None:
    files = sorted(RESULTS.glob("publish_*.json"))
    reports = {file.stem.removeprefix("publish_"): json.loads(file.read_text()) for file in files}
    text = card(reports, json.loads((RESULTS / "ablation.json").read_text()))
    (ROOT / "MODEL_CARD.md").write_text(text, encoding="utf-8")
    print(text)


def _data() -> str:
    """The table of the sources, as `training/README.md` has it."""
    chapter = (ROOT / "training" / "README.md").read_text(encoding="utf-8").split("## Data of the published weights")[1]
    return "\n".join(line for line in chapter.splitlines() if line.startswith("|"))


def _recalls(found: dict[str, Any]) -> str:
    return f"{found['recall_female']:.1%} / {found['recall_male']:.1%}"


def _possible(found: dict[str, Any]) -> str:
    return f"{found['ceiling']:.1%}" if "ceiling" in found else ""


def _accuracy(slices: dict[str, dict[str, Any]], name: str) -> str:
    if name not in slices:
        return "no such users"
    found = slices[name]
    low, high, users = found["accuracy_low"], found["accuracy_high"], found["users"]
    return f"{found['accuracy']:.1%} ({low:.1%} to {high:.1%}, {users} users)"


if __name__ == "__main__":
    main()
