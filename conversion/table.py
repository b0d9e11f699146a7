"""Write `results/models.md`: what `conversion.publish` measured of the models in the repository.

python -m conversion.table
"""

import json
from pathlib import Path
from typing import Any, Final

RESULTS: Final = Path(__file__).parent.parent / "results"


def table(reports: dict[str, dict[str, Any]]) -> str:
    """Markdown with one column a model; `reports` are those of `conversion.publish` by model name."""
    rows = [("", *reports), ("---", *("---" for _ in reports))]
    slices = dict.fromkeys(name for report in reports.values() for name in report["int8_test"])
    rows += [(f"accuracy, {name}", *(_accuracy(r["int8_test"], name) for r in reports.values())) for name in slices]
    rows += [
        (label, *(str(read(report)) for report in reports.values()))
        for label, read in (
            ("AUC, all", lambda r: r["int8_test"]["all"]["auc"]),
            ("calibration error (ECE), all", lambda r: r["int8_test"]["all"]["ece"]),
            ("decisions that int8 changed", lambda r: f"{r['int8_flips']:.2%}"),
            ("largest difference of ONNX from Keras", lambda r: f"{r['parity_max_difference']:.1e}"),
            ("fp32 / int8, MB", lambda r: f"{r['fp32_bytes'] / 1e6:.1f} / {r['int8_bytes'] / 1e6:.1f}"),
            ("date", lambda r: r["date"]),
            ("machine", lambda r: r["machine"]),
            ("training seed", lambda r: r["training"]["config"]["seed"]),
        )
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    files = sorted(RESULTS.glob("publish_*.json"))
    reports = {file.stem.removeprefix("publish_"): json.loads(file.read_text()) for file in files}
    text = f"""# The published models

Written by `python -m conversion.table` from {", ".join(f"`{file.name}`" for file in files)}. int8, on the test split of
the training data: people, designs and photos that training never saw, with composed nicknames. It says how the two
backbones compare on that mixture, not how right they are about your users.

{table(reports)}
"""
    (RESULTS / "models.md").write_text(text, encoding="utf-8")
    print(text)


def _accuracy(slices: dict[str, dict[str, Any]], name: str) -> str:
    if name not in slices:
        return "no such users"
    found = slices[name]
    low, high, users = found["accuracy_low"], found["accuracy_high"], found["users"]
    return f"{found['accuracy']:.1%} ({low:.1%} to {high:.1%}, {users} users)"


if __name__ == "__main__":
    main()
