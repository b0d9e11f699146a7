"""Write `results/PERFORMANCE.md` from what the other commands measured: the goals, each with its figure beside it.

python -m perf.report.performance
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from server.launch.process import ROOT

from ..experiments import (
    breakdown,
)
from ..experiments import (
    latency as sweep,
)
from ..experiments import (
    response_cache as cached,
)
from ..experiments import (
    scaling_report as cost_report,
)
from ..experiments import (
    server_settings as tune,
)
from ..load.baselines import MODELS
from ..load.perf_analyzer import PROTOCOLS
from ..peers import compare
from ..peers.catalogue import FASTAPI, TRITON
from .goals import Goal, table

RESULTS: Final = ROOT / "results"
OVER_BARE_MS: Final = 1.2
CROWDS: Final = (8, 32)
TAIL: Final = 3
READY_S: Final = 8
REQUESTS: Final = 100_000
# Buffers fill once, in the first of these requests; growth after that, up to this share, is put down to chance.
FILLED: Final = 10_000
FLAT: Final = 1.05
REPEAT_MS: Final = 0.5

Found = Mapping[str, Mapping[str, Any]]


def goals(found: Found) -> Iterator[Goal]:
    """The goals, from the contents of the files of `SECTIONS` by name."""
    arms = pd.DataFrame(found["sweep"]["arms"])
    for model in MODELS:
        one = arms[(arms["model"] == model) & arms["how"].isin(PROTOCOLS) & (arms["clients"] == 1)]
        over = float(one["over_bare_ms"].min())
        text = f"{model}, one client: p50 at most {OVER_BARE_MS} ms over bare ONNX Runtime"
        yield Goal(text, f"{over:+.1f} ms", over <= OVER_BARE_MS)
    yield from _beside_fastapi(pd.DataFrame(found["peers"]["arms"]))
    for model in MODELS:
        busy = arms[(arms["model"] == model) & (arms["how"] == sweep.AT_RATE)].iloc[0]
        times = float(busy["p99_ms"] / busy["p50_ms"])
        text = f"{model}, {sweep.BUSY:.0%} load: p99 at most {TAIL} times p50"
        yield Goal(text, f"{times:.1f} times ({busy['p99_ms']:.1f} ms)", times <= TAIL)
    ready = found["sweep"]["ready_s"]
    yield Goal(f"ready within {READY_S} s of launch", f"{ready:g} s", ready <= READY_S)
    yield from _overload(pd.DataFrame(found["cost"]["arms"]))
    yield from _memory(pd.DataFrame(found["cost"]["scored"]))
    yield from _repeats(pd.DataFrame(found["cached"]["arms"]))


def _beside_fastapi(arms: pd.DataFrame) -> Iterator[Goal]:
    triton = arms[(arms["peer"] == TRITON) & arms["clients"].isin(CROWDS)]
    for row in triton.to_dict("records"):
        text = f"{row['model']}, {row['clients']} clients: as many answers, for no more CPU, as {FASTAPI} in process"
        figure = f"{row['throughput']:.2f} of its answers, {row['cpu']:.2f} of its CPU a request"
        yield Goal(text, figure, row["throughput"] >= 1 and row["cpu"] <= 1)


def _overload(arms: pd.DataFrame) -> Iterator[Goal]:
    """Of the heaviest load before nginx: nobody waits in vain, and who is refused knows it soon."""
    most = arms[arms["kind"] == "clients"].groupby("model")["per_s"].max()
    behind = arms[arms["kind"] == cost_report.OVERLOADS[0]]
    for row in behind[behind["amount"] == behind["amount"].max()].to_dict("records"):
        text = f"{row['model']}, {row['amount']} times what can be answered: clear refusals, nobody left waiting"
        answered = f"{row['per_s'] / most[row['model']]:.0%} of the most answered, p99 {row['p99_ms']:.0f} ms"
        figure = f"{answered}; refused within {row['refused_p99_ms']:.0f} ms"
        yield Goal(text, figure, row["given_up_per_s"] == 0 and row["refused_per_s"] > 0)


def _memory(scored: pd.DataFrame) -> Iterator[Goal]:
    for model, rows in scored.groupby("model", sort=False):
        total = rows[cost_report.parts(scored)].sum(axis=1)
        filled, end = float(total[rows["users"] >= FILLED].iloc[0]), float(total.iloc[-1])
        users = rows["users"].iloc[-1]
        figure = f"{filled:.0f} MB after {FILLED:,}, {end:.0f} MB after {users:,.0f}"
        yield Goal(
            f"{model}: memory flat over {REQUESTS:,} requests", figure, users >= REQUESTS and end <= FLAT * filled
        )


def _repeats(arms: pd.DataFrame) -> Iterator[Goal]:
    for row in arms[arms["server"] == cached.CACHING].to_dict("records"):
        text = f"{row['model']}, {row['protocol']}: a repeat answered by the cache within {REPEAT_MS} ms"
        yield Goal(text, f"{row['p50_ms']:.2f} ms", row["p50_ms"] <= REPEAT_MS)


def _sweep(file: Mapping[str, Any]) -> str:
    return sweep.markdown(pd.DataFrame(file["arms"]))


def _breakdown(file: Mapping[str, Any]) -> str:
    return breakdown.markdown(pd.DataFrame(file["parts"]))


def _peers(file: Mapping[str, Any]) -> str:
    return compare.markdown(pd.DataFrame(file["arms"]))


def _cost(file: Mapping[str, Any]) -> str:
    return cost_report.markdown(*(pd.DataFrame(file[name]) for name in ("arms", "scored", "capacity")))


def _cached(file: Mapping[str, Any]) -> str:
    return cached.markdown(pd.DataFrame(file["arms"]))


def _tuning(file: Mapping[str, Any]) -> str:
    return tune.markdown(pd.DataFrame(file["variants"]))


# The files, by their names without suffix, and what the document says of each.
SECTIONS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "sweep": _sweep,
    "breakdown": _breakdown,
    "peers": _peers,
    "cost": _cost,
    "cached": _cached,
    "tuning": _tuning,
}


def markdown(found: Found) -> str:
    """The document, from the contents of the files of `SECTIONS` by name."""
    files = [
        f"| `{name}.json` | {file['date'][:10]} | {file['machine']} | {file['seed']} |" for name, file in found.items()
    ]
    return f"""# Performance

Written by `python -m perf.report.performance` from the files below. The article reports 85 ms a request with DenseNet121 and
25 ms with MobileNetV2, on 8 cores and at 224 pixels; its engine, TensorFlow in process, is among the arms of the sweep
at the size served here.

{table(goals(found))}

| file | measured | machine | seed |
|---|---|---|---|
{chr(10).join(files)}

{chr(10).join(_section(name, SECTIONS[name](file)) for name, file in found.items())}"""


def _section(name: str, document: str) -> str:
    """A document one heading deeper, with its picture."""
    picture = f"\n![{name}]({name}.png)\n" if (RESULTS / f"{name}.png").is_file() else ""
    return f"#{document}{picture}"


def read(results: Path) -> Found:
    """The contents of the files of `SECTIONS`.

    Raises:
        FileNotFoundError: one is missing; the message says which command writes it.
    """
    for name in SECTIONS:
        if not (results / f"{name}.json").is_file():
            command = {"tuning": "tune"}.get(name, name)
            raise FileNotFoundError(f"no {results / name}.json; write it with: python -m perf.{command}")
    return {name: json.loads((results / f"{name}.json").read_text()) for name in SECTIONS}


def main() -> None:
    try:
        text = markdown(read(RESULTS))
    except FileNotFoundError as exc:
        raise SystemExit(f"performance: {exc}") from exc
    (RESULTS / "PERFORMANCE.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
