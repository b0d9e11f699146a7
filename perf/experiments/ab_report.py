"""The report of an A/B test: which arm to serve, why, and the numbers behind it."""

import base64
from collections.abc import Mapping, Sequence
from functools import partial
from html import escape
from math import ceil
from pathlib import Path
from string import Template
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from figures.axes import legend_above
from figures.colors import colors_of
from figures.save import png
from figures.style import LIGHT, WIDTH

from ..report.statistics import sample_ratio_p

# A sample ratio this unlikely is a fault of the experiment.
ALARM: Final = 0.001
# Above this p-value, a difference in failures counts as chance.
CHANCE: Final = 0.01
# Accuracy that speed may cost, as a share.
MARGIN: Final = 0.01
# What the article reports of DenseNet121 and MobileNetV2 on 8 cores.
ARTICLE: Final = ("the article", "85 ms", "25 ms", "-0.8 points of accuracy")

# What `ab_analysis.analyze` returns, and `data`, where the users come from.
Analysis = Mapping[str, Any]

_PAGE: Final = Template("""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>A/B</title>
<style>body{font:16px/1.5 sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse}td,th{border-bottom:1px solid #ccc;padding:.3rem .8rem;text-align:left}
img{max-width:100%}.verdict{font-size:1.2rem}</style>
<p class="verdict">$verdict</p>
<p>$about</p>
$table
<p><img alt="Latency of both arms" src="data:image/png;base64,$picture"></p>
</html>
""")


def verdict(analysis: Analysis) -> str:
    """Say which arm to serve and why: the faster one if its accuracy is lower by at most the margin."""
    arms = analysis["arms"]
    if analysis["sample_ratio_p"] < ALARM:
        first, second = analysis["asked_first"]
        return f"Choose neither yet: {arms[0]} was asked first {first} times, {arms[1]} {second} times; find the fault."
    failures = [sum(kinds.values()) for kinds in analysis["failed"].values()]
    if any(failures) and sample_ratio_p(failures[0], failures[1]) < CHANCE:
        worse = int(failures[1] > failures[0])
        reason = f"{arms[worse]} failed {failures[worse]} times, {arms[1 - worse]} {failures[1 - worse]} times"
        return f"Choose {arms[1 - worse]}: {reason}."
    if "latency_ms" not in analysis:
        return "Choose neither: no user got an answer from both."
    p50 = analysis["latency_ms"]["p50"]
    if p50["low"] <= 0 <= p50["high"]:
        return _by_accuracy_alone(analysis)
    fast = int(p50["difference"] < 0)
    speed = f"its median answer is {p50['values'][1 - fast] / p50['values'][fast]:.1f} times as fast"
    if "accuracy" not in analysis:
        agreement = f"without labels their accuracy is unknown; they agree on {analysis['agreement']:.1%}"
        return f"Choose {arms[fast]}: {speed}; {agreement}."
    return _by_speed_and_accuracy(analysis, fast, speed)


def _by_accuracy_alone(analysis: Analysis) -> str:
    arms, accuracy = analysis["arms"], analysis.get("accuracy")
    if accuracy is None or accuracy["low"] <= 0 <= accuracy["high"]:
        return "Choose either: neither speed nor accuracy differs by more than chance."
    better = int(accuracy["difference"] > 0)
    return f"Choose {arms[better]}: as fast, and right for {abs(accuracy['difference']):.1%} more of the users."


def _by_speed_and_accuracy(analysis: Analysis, fast: int, speed: str) -> str:
    arms = analysis["arms"]
    gain, low, high = (analysis["accuracy"][key] for key in ("difference", "low", "high"))
    if not fast:
        gain, low, high = -gain, -high, -low
    interval = f"{100 * gain:+.1f} points of accuracy, {100 * low:+.1f} to {100 * high:+.1f}"
    allowed = f"{100 * MARGIN:g} points less are allowed"
    if low >= -MARGIN:
        return f"Choose {arms[fast]}: {speed}, and its accuracy is not too much lower ({interval}; {allowed})."
    if high < -MARGIN:
        return f"Choose {arms[1 - fast]}: {arms[fast]} costs too much ({interval}; {allowed}), though {speed}."
    needed = ceil(analysis["labelled"] * ((gain - low) / (gain + MARGIN)) ** 2) if gain > -MARGIN else None
    users = f"about {needed}" if needed else "more"
    return f"Undecided: {arms[fast]} may cost too much ({interval}; {allowed}); measure {users} users."


def table(analysis: Analysis) -> str:
    """Return the report in Markdown, verdict first."""
    return f"""**{verdict(analysis)}**

{_about(analysis)} Differences are second arm minus first, with the 95% interval of a paired bootstrap.

{cells(analysis).to_markdown(index=False, tablefmt="github", disable_numparse=True)}"""


def cells(analysis: Analysis) -> pd.DataFrame:
    """Return the figures of the report as text: what, first arm, second arm, difference."""
    rows: list[Sequence[str]] = []
    for rank, latency in analysis.get("latency_ms", {}).items():
        values = [f"{value:.1f}" for value in latency["values"]]
        rows.append((f"{rank}, ms", *values, _difference(latency, 1, "{:+.1f}")))
    if "accuracy" in analysis:
        accuracy = analysis["accuracy"]
        values = [
            f"{value:.1%} ({low:.1%} to {high:.1%})"
            for value, (low, high) in zip(accuracy["values"], accuracy["intervals"], strict=True)
        ]
        points = f"{_difference(accuracy, 100, '{:+.1f}')} points, McNemar p = {accuracy['mcnemar_p']:.2g}"
        rows.append((f"accuracy of {analysis['labelled']}", *values, points))
    if "auc" in analysis:
        auc = analysis["auc"]
        rows.append(("AUC", *(f"{value:.3f}" for value in auc["values"]), _difference(auc, 1, "{:+.3f}")))
    if "agreement" in analysis:
        rows.append(("unknown", *(f"{share:.1%}" for share in analysis["unknown"]), ""))
        rows.append(("agreement", "", "", f"{analysis['agreement']:.1%}"))
    rows.append(("failed", *(_kinds(kinds) for kinds in analysis["failed"].values()), ""))
    rows.append(
        ("asked first", *map(str, analysis["asked_first"]), f"sample ratio p = {analysis['sample_ratio_p']:.2g}")
    )
    return pd.DataFrame([*rows, ARTICLE], columns=["", *analysis["arms"], "difference"])


def chart(analysis: Analysis) -> Figure:
    """Plot the latency percentiles of both arms side by side."""
    figure = Figure(figsize=(WIDTH, 3.2))
    axes = figure.subplots()
    latencies, arms = analysis.get("latency_ms", {}), analysis["arms"]
    places, height = np.arange(len(latencies)), 0.38
    backbones = [arm.removeprefix("gender_") for arm in arms]
    for index, (arm, backbone) in enumerate(zip(arms, backbones, strict=True)):
        times_ms = [each["values"][index] for each in latencies.values()]
        color = colors_of(backbones)[backbone]
        bars = axes.barh(places + (index - 0.5) * height, times_ms, height, color=color, label=arm)
        axes.bar_label(bars, fmt="%.1f ms", padding=4)
    axes.set_yticks(places, list(latencies))
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("ms, of the same users")
    axes.margins(x=0.1)
    legend_above(axes)
    return figure


def write_page(analysis: Analysis, file: Path) -> None:
    """Write the report as one HTML file that contains the chart."""
    encoded = base64.b64encode(png(partial(chart, analysis), LIGHT)).decode()
    texts = {"verdict": escape(verdict(analysis)), "about": escape(_about(analysis))}
    page = _PAGE.substitute(texts, table=cells(analysis).to_html(index=False, border=0), picture=encoded)
    file.write_text(page, encoding="utf-8")


def _about(analysis: Analysis) -> str:
    return f"{analysis['users']} users ({analysis['data']}), each sent to both arms in random order."


def _difference(figures: Analysis, scale: float, form: str) -> str:
    value, low, high = (form.format(scale * figures[key]) for key in ("difference", "low", "high"))
    return f"{value} ({low} to {high})"


def _kinds(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "none"
