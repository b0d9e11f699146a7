"""The page that `perf.experiments.ab` writes: which arm to choose, why, and the numbers behind it."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO
from math import ceil
from pathlib import Path
from string import Template
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure

from training.report import write_report

from ..report.statistics import sample_ratio

# A sample ratio as unlikely as this is a fault of the experiment, not chance.
ALARM: Final = 0.001
# Failures that differ by less than this are nobody's fault in particular.
CHANCE: Final = 0.01
# What the article reports of DenseNet121 and MobileNetV2 on 8 cores.
ARTICLE: Final = ("the article", "85 ms", "25 ms", "-0.8 points of accuracy")

Found = Mapping[str, Any]

_PAGE: Final = Template("""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>A/B</title>
<style>body{font:16px/1.5 sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse}td,th{border-bottom:1px solid #ccc;padding:.3rem .8rem;text-align:left}
img{max-width:100%}.verdict{font-size:1.2rem}</style>
<p class="verdict">$verdict</p>
<p>$about</p>
<table>$rows</table>
<p><img alt="Latency of both arms, and how far their answers differ" src="data:image/png;base64,$picture"></p>
</html>
""")


def write(found: Found, margin: float, results: Path, **about: Any) -> None:
    """Write `ab.{json,md,html,png}` to the folder `results`; `found` is what `ab.analyse` returned."""
    results.mkdir(parents=True, exist_ok=True)
    picture = BytesIO()
    chart(found).savefig(picture, format="png", dpi=110)
    (results / "ab.png").write_bytes(picture.getvalue())
    said, rows = verdict(found, margin), table(found)
    text = f"{found['users']} users ({about['data']}), each shown to both arms; dice decided which was asked first."
    write_report(results / "ab.json", **about, margin=margin, verdict=said, **found)
    (results / "ab.md").write_text(markdown(said, text, rows), encoding="utf-8")
    lines = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    encoded = base64.b64encode(picture.getvalue()).decode()
    page = _PAGE.substitute(verdict=escape(said), about=escape(text), rows=lines, picture=encoded)
    (results / "ab.html").write_text(page, encoding="utf-8")


def verdict(found: Found, margin: float) -> str:
    """Which arm to choose, and why: the faster one if it is shown to be less accurate by no more than `margin`."""
    arms = found["arms"]
    if found["sample_ratio_p"] < ALARM:
        first, second = found["asked_first"]
        return f"Choose neither yet: {arms[0]} was asked first {first} times, {arms[1]} {second} times; find the fault."
    failures = [sum(kinds.values()) for kinds in found["failed"].values()]
    if any(failures) and sample_ratio(*failures) < CHANCE:
        worse = int(failures[1] > failures[0])
        return (
            f"Choose {arms[1 - worse]}: {arms[worse]} failed {failures[worse]} times, it {failures[1 - worse]} times."
        )
    if "latency_ms" not in found:
        return "Choose neither: nobody got an answer from both."
    p50 = found["latency_ms"]["p50"]
    if p50["low"] <= 0 <= p50["high"]:
        return _by_accuracy_alone(found)
    fast = int(p50["difference"] < 0)
    times = p50["values"][1 - fast] / p50["values"][fast]
    faster = f"its median answer is {times:.1f} times as fast"
    if "accuracy" not in found:
        return f"Choose {arms[fast]}: {faster}; who is right is not known, they agree on {found['agreement']:.1%}."
    return _faster_or_better(found["accuracy"], arms, fast, faster, margin, found["labelled"])


def table(found: Found) -> list[Sequence[str]]:
    """The rows of the report: what, first arm, second arm, and the difference with its 95 % interval."""
    rows: list[Sequence[str]] = [("", *found["arms"], "difference")]
    for rank, latency in found.get("latency_ms", {}).items():
        rows.append(
            (f"{rank}, ms", *(f"{value:.1f}" for value in latency["values"]), _difference(latency, 1, "{:+.1f}"))
        )
    if "accuracy" in found:
        accuracy = found["accuracy"]
        values = [
            f"{value:.1%} ({low:.1%} to {high:.1%})"
            for value, (low, high) in zip(accuracy["values"], accuracy["intervals"], strict=True)
        ]
        points = f"{_difference(accuracy, 100, '{:+.1f}')} points, McNemar p = {accuracy['mcnemar_p']:.2g}"
        rows.append((f"accuracy of {found['labelled']}", *values, points))
    if "auc" in found:
        area = found["auc"]
        rows.append(("AUC", *(f"{value:.3f}" for value in area["values"]), _difference(area, 1, "{:+.3f}")))
    if "agreement" in found:
        rows.append(("unknown", *(f"{share:.1%}" for share in found["unknown"]), ""))
        rows.append(("say the same", "", "", f"{found['agreement']:.1%}"))
    rows.append(("failed", *(_kinds(kinds) for kinds in found["failed"].values()), ""))
    rows.append(("asked first", *map(str, found["asked_first"]), f"sample ratio p = {found['sample_ratio_p']:.2g}"))
    return [*rows, ARTICLE]


def markdown(said: str, about: str, rows: list[Sequence[str]]) -> str:
    """The report in Markdown, its verdict in the first line."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines.insert(1, f"|{'---|' * len(rows[0])}")
    return f"""{said}

{about} Differences are second arm
minus first, with the 95 % interval of a paired bootstrap. Written by `python -m perf.experiments.ab`, like `ab.json` beside it,
which has machine, date and seed.

{chr(10).join(lines)}

![Latency of both arms](ab.png)
"""


def chart(found: Found) -> Figure:
    """The percentiles of both arms side by side."""
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    axes = figure.subplots()
    ranks = list(found.get("latency_ms", {}))
    for position, arm in enumerate(found["arms"]):
        values = [found["latency_ms"][rank]["values"][position] for rank in ranks]
        bars = axes.barh(np.arange(len(ranks)) + 0.4 * position, values, height=0.38, label=arm)
        axes.bar_label(bars, fmt="%.1f ms", padding=3)
    axes.set_yticks(np.arange(len(ranks)) + 0.2, ranks)
    axes.invert_yaxis()
    axes.set(xlabel="ms", title="Latency of the same users")
    axes.margins(x=0.15)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _by_accuracy_alone(found: Found) -> str:
    arms, accuracy = found["arms"], found.get("accuracy")
    if accuracy is None or accuracy["low"] <= 0 <= accuracy["high"]:
        return "Choose either: neither speed nor accuracy differs by more than chance."
    better = int(accuracy["difference"] > 0)
    return f"Choose {arms[better]}: as fast, and right on {abs(accuracy['difference']):.1%} more of the users."


def _faster_or_better(
    accuracy: Found, arms: Sequence[str], fast: int, faster: str, margin: float, labelled: int
) -> str:
    gain, low, high = (accuracy[key] for key in ("difference", "low", "high"))
    if not fast:
        gain, low, high = -gain, -high, -low
    interval = f"{100 * gain:+.1f} points of accuracy, {100 * low:+.1f} to {100 * high:+.1f}"
    allowed = f"{100 * margin:g} points less are allowed"
    if low >= -margin:
        return f"Choose {arms[fast]}: {faster}, and it is not too much less accurate ({interval}; {allowed})."
    if high < -margin or gain <= -margin:
        return f"Choose {arms[1 - fast]}: {arms[fast]} costs too much ({interval}; {allowed}), though {faster}."
    needed = ceil(labelled * ((gain - low) / (gain + margin)) ** 2)
    return f"Undecided: {arms[fast]} may cost too much ({interval}; {allowed}); show both to about {needed} users."


def _difference(found: Found, scale: float, form: str) -> str:
    value, low, high = (form.format(scale * found[key]) for key in ("difference", "low", "high"))
    return f"{value} ({low} to {high})"


def _kinds(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "none"
