"""Write `results/PERFORMANCE.md` from what the other commands measured: the goals, each with its figure beside it.

python -m perf.performance
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import pandas as pd

from server.process import ROOT

from . import sweep, tune
from .fixed_points import MODELS
from .perf_analyzer import PROTOCOLS

RESULTS: Final = ROOT / "results"
OVER_BARE_MS: Final = 1.2
TAIL: Final = 3
READY_S: Final = 8
REQUESTS: Final = 100_000
# Growth over a run that is put down to buffers that fill once.
FLAT: Final = 1.05


class Goal(NamedTuple):
    """What is wanted, what was measured, and whether that is enough; None where it was not measured."""

    text: str
    figure: str
    met: bool | None


def goals(swept: Mapping[str, Any]) -> Iterator[Goal]:
    """The goals, from `sweep.json`."""
    arms = pd.DataFrame(swept["arms"])
    for model in MODELS:
        one = arms[(arms["model"] == model) & arms["how"].isin(PROTOCOLS) & (arms["clients"] == 1)]
        over = float(one["over_bare_ms"].min())
        text = f"{model}, one client: p50 at most {OVER_BARE_MS} ms over bare ONNX Runtime"
        yield Goal(text, f"{over:+.1f} ms", over <= OVER_BARE_MS)
    for model in MODELS:
        busy = arms[(arms["model"] == model) & (arms["how"] == sweep.AT_RATE)].iloc[0]
        times = float(busy["p99_ms"] / busy["p50_ms"])
        text = f"{model}, {sweep.BUSY:.0%} load: p99 at most {TAIL} times p50"
        yield Goal(text, f"{times:.1f} times ({busy['p99_ms']:.1f} ms)", times <= TAIL)
    yield Goal(f"ready within {READY_S} s of launch", f"{swept['ready_s']:g} s", swept["ready_s"] <= READY_S)
    yield _memory(swept)
    yield Goal(
        "8 to 32 clients: as many answers, for no more CPU, as one FastAPI process", "no peer is set up yet", None
    )
    yield Goal("a repeat from the cache within 0.5 ms", "no cache, see model_repository/gender_*/config.pbtxt", None)


def markdown(swept: Mapping[str, Any], tuned: Mapping[str, Any] | None) -> str:
    """The document, from `sweep.json` and, where it is there, `tuning.json`."""
    marks = {True: "met", False: "**not met**", None: "not measured"}
    lines = [f"| {goal.text} | {goal.figure} | {marks[goal.met]} |" for goal in goals(swept)]
    memory = ", ".join(f"{name} {size:.0f}" for name, size in swept["resident_mb_after"].items())
    settings = "" if tuned is None else f"\n## Settings\n\n{_body(tune.markdown(pd.DataFrame(tuned['variants'])))}"
    return f"""# Performance

Written by `python -m perf.performance` from `sweep.json` and `tuning.json` beside it; measured on {swept["date"][:10]},
{swept["machine"]}, seed {swept["seed"]}. The article reports 85 ms a request with DenseNet121 and 25 ms with
MobileNetV2, on 8 cores and at 224 pixels; its engine, TensorFlow in process, is among the arms below at the size served
here.

| goal | measured | |
|---|---|---|
{chr(10).join(lines)}

Memory after {swept["requests"]:.0f} requests, MB: {memory}.

## Latency and throughput

{_body(sweep.markdown(pd.DataFrame(swept["arms"])))}
![Latency over throughput](sweep.png)
{settings}"""


def main() -> None:
    file, tuning = RESULTS / "sweep.json", RESULTS / "tuning.json"
    if not file.is_file():
        raise SystemExit(f"performance: no {file}; run python -m perf.sweep")
    tuned = json.loads(tuning.read_text()) if tuning.is_file() else None
    text = markdown(json.loads(file.read_text()), tuned)
    (RESULTS / "PERFORMANCE.md").write_text(text, encoding="utf-8")
    print(text)


def _memory(swept: Mapping[str, Any]) -> Goal:
    before, after = (sum(swept[f"resident_mb_{when}"].values()) for when in ("before", "after"))
    enough = swept["requests"] >= REQUESTS
    figure = f"{before:.0f} to {after:.0f} MB over {swept['requests']:.0f} requests"
    return Goal(f"memory flat over {REQUESTS:,} requests", figure, after <= FLAT * before if enough else None)


def _body(document: str) -> str:
    """A document without its heading."""
    return document.split("\n\n", 1)[1]


if __name__ == "__main__":
    main()
