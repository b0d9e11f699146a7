"""What operators see: a Triton, a product that asks it, and a Prometheus that scrapes both.

    python -m reliability.monitoring        # needs prometheus

Three phases: a few users, as many as are answered at once, and the same with somebody who sends garbage. At the end
Prometheus has to have counted what was sent. Writes `results/observability.{csv,json,md,png}`.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd
from matplotlib.figure import Figure

from genderprep.tensors import AVATAR, NICKNAME
from perf.report.command import positive, write
from server.errors import LaunchError
from server.launch.process import ROOT, Server, StartError, free_ports, running_triton

from .instrumented_client import MODEL, Phase
from .prometheus import Prometheus, running_prometheus

# Triton shows percentiles only where it is told to.
PERCENTILES: Final = "--metrics-config=summary_latencies=true"
WINDOW: Final = "5s"
STEP: Final = MODEL.removeprefix("gender_")
_MODEL: Final = f'model="{MODEL}"'
_ASKED: Final = f'sum(rate(nv_inference_count{{model="preprocess"}}[{WINDOW}]))'
# Triton counts the refused ones too.
_ANSWERED: Final = f"({_ASKED} - sum(rate(gender_refused_requests_total[{WINDOW}])))"


def _client_ms(rank: int) -> str:
    buckets = f"sum by (le) (rate(genderclient_duration_seconds_bucket[{WINDOW}]))"
    return f"1000 * histogram_quantile({rank / 100}, {buckets})"


def _model_ms(rank: int) -> str:
    """Of the step, waiting included: Triton has none for an ensemble whose answers may be cached."""
    return f'nv_inference_request_summary_us{{model="{STEP}",quantile="{rank / 100}"}} / 1000'


# What is asked of Prometheus for each second.
SERIES: Final = {
    "answered_per_s": f"sum(rate(nv_inference_request_success{{{_MODEL}}}[{WINDOW}]))",
    "refused_per_s": f"sum(rate(gender_refused_requests_total[{WINDOW}]))",
    **{f"client_p{rank}_ms": _client_ms(rank) for rank in (50, 99)},
    **{f"model_p{rank}_ms": _model_ms(rank) for rank in (50, 99)},
    "waiting": "sum(nv_inference_pending_request_count)",
    "wait_ms": f'sum(rate(nv_inference_queue_duration_us{{model!~"gender_.+"}}[{WINDOW}])) / 1000 / {_ASKED}',
    "no_avatar": f'sum(rate(gender_missing_inputs_total{{tensor="{AVATAR}"}}[{WINDOW}])) / {_ANSWERED}',
    "no_nickname": f'sum(rate(gender_missing_inputs_total{{tensor="{NICKNAME}"}}[{WINDOW}])) / {_ANSWERED}',
    "unknown": f'sum(rate(genderclient_predictions_total{{gender="unknown"}}[{WINDOW}])) '
    f"/ sum(rate(genderclient_predictions_total[{WINDOW}]))",
    "avatar_weight": f"sum(rate(genderclient_weight_avatar_sum[{WINDOW}])) "
    f"/ sum(rate(genderclient_weight_avatar_count[{WINDOW}]))",
}
# And what it counted in all, by who counts: the server, and the client.
COUNTS: Final = {
    "server": {
        "answered": f"sum(nv_inference_request_success{{{_MODEL}}})",
        **{f"missing {name}": f'sum(gender_missing_inputs_total{{tensor="{name}"}})' for name in (AVATAR, NICKNAME)},
        **{f"refused {name}": f'sum(gender_refused_requests_total{{tensor="{name}"}})' for name in (AVATAR, NICKNAME)},
    },
    "client": {
        "answered": "sum(genderclient_predictions_total)",
        f"refused {AVATAR}": 'sum(genderclient_errors_total{error_type="InvalidAvatar"})',
        f"refused {NICKNAME}": 'sum(genderclient_errors_total{error_type="InvalidNickname"})',
    },
}

Counts = Mapping[str, int]


class Product:
    """A running `reliability.monitoring.instrumented_client`; `metrics_url` is `host:port`.

    Raises:
        ProductError: it ended without a word.
    """

    def __init__(self, process: "subprocess.Popen[str]", metrics_url: str) -> None:
        self.metrics_url = metrics_url
        self._process = process
        self._answer()

    def ask(self, phase: Phase) -> Counter[str]:
        """What became of everything that was asked in a phase.

        Raises:
            ProductError: it ended.
        """
        assert self._process.stdin is not None
        # Where it has ended already, nothing must be left in a buffer, which would be written at its end.
        with suppress(BrokenPipeError):
            os.write(self._process.stdin.fileno(), f"{json.dumps(asdict(phase))}\n".encode())
        return Counter(json.loads(self._answer()))

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ProductError(
                f"reliability.monitoring.instrumented_client ended with exit code {self._process.wait()}; what it said is above"
            )
        return line


class ProductError(RuntimeError):
    """The product did not live to the end: a request failed otherwise than by being refused."""


@dataclass(frozen=True)
class Seen:
    """A run: `rows` has `phase`, `second` and each of `SERIES`; `counted` is by who counts."""

    rows: pd.DataFrame
    sent: Counts
    counted: Mapping[str, Counts]

    def is_right(self) -> bool:
        """Whether everybody counted what was sent."""
        return all(self.sent[name] == number for found in self.counted.values() for name, number in found.items())


def phases(clients: int, seconds: float) -> list[Phase]:
    return [
        Phase("quiet", 1, 0.02, seconds),
        Phase("busy", clients, 0.02, seconds),
        Phase("garbage", clients, 0.3, seconds),
    ]


@contextmanager
def running_product(server: Server, users: int, seed: int) -> Iterator[Product]:
    """A product that asks this server, for so many different users.

    Raises:
        ProductError: it does not get an answer.
    """
    (port,) = free_ports(1)
    options = (f"--url=grpc://{server.grpc_url}", f"--metrics-port={port}", f"--users={users}", f"--seed={seed}")
    command = [sys.executable, "-m", "reliability.monitoring.instrumented_client", *options]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        try:
            yield Product(process, f"127.0.0.1:{port}")
        finally:
            process.terminate()


def watch(prometheus: Prometheus, product: Product, plan: Sequence[Phase]) -> Seen:
    """Let the product ask, phase by phase, and Prometheus tell what it saw of that.

    Raises:
        ProductError: a request failed otherwise than by being refused.
        TimeoutError: Prometheus does not get at the two.
    """
    parts, sent, before = [], Counter[str](), _counts(prometheus)
    for phase in plan:
        start_s = time.time()
        sent += product.ask(phase)
        prometheus.wait_for_scrape(time.time())
        parts.append(_seen(prometheus, phase, start_s, time.time()))
    after = _counts(prometheus)
    rows = pd.concat(parts)
    rows.insert(1, "second", rows.index - rows.index[0])
    counted = {who: {name: after[who][name] - before[who][name] for name in names} for who, names in COUNTS.items()}
    return Seen(rows.reset_index(drop=True), {name: sent[name] for name in COUNTS["server"]}, counted)


def report(seen: Seen, about: dict[str, Any], results: Path) -> None:
    """Write every second, the medians of the phases, the document and the plot to the folder `results`."""
    found = seen.rows.groupby("phase", sort=False)[list(SERIES)].median().round(3)
    by_phase = found.astype(object).where(found.notna(), None).reset_index().to_dict("records")
    counts = {"sent": seen.sent, "counted": seen.counted}
    write("observability", seen.rows, markdown(found, seen), results, **about, phases=by_phase, **counts)
    chart(seen.rows).savefig(results / "observability.png", dpi=110)


def markdown(found: pd.DataFrame, seen: Seen) -> str:
    """The document, from the medians by phase and the counts."""
    series = "\n".join(
        f"| {name} | {' | '.join(f'{value:g}' for value in values)} |" for name, *values in found.T.itertuples()
    )
    counts = "\n".join(
        f"| {name} | {number} | {' | '.join(str(found.get(name, '')) for found in seen.counted.values())} |"
        for name, number in seen.sent.items()
    )
    return f"""# What operators see

Written by `python -m reliability.monitoring`, like `observability.json` beside it, which has machine, date and seed, and
`observability.csv`, which has every second. All figures are Prometheus' answers; medians of each phase. Shares are of
the users who were answered.

| | {" | ".join(found.index)} |
|---|{"---|" * len(found)}
{series}

What the clients sent, and what was counted of it:

| | sent | {" | ".join(f"by the {who}" for who in seen.counted)} |
|---|---|{"---|" * len(seen.counted)}
{counts}
"""


def chart(rows: pd.DataFrame) -> Figure:
    """The series over time, with the phases behind them."""
    figure = Figure(figsize=(11, 8), layout="constrained")
    panels = {
        "a second": {"answered_per_s": "answered", "refused_per_s": "refused"},
        "ms": {
            "client_p50_ms": "p50 at the client",
            "client_p99_ms": "p99 at the client",
            "model_p50_ms": "p50 of the model",
            "model_p99_ms": "p99 of the model",
        },
        "requests": {"waiting": "waiting"},
        "share": {"no_avatar": "without avatar", "no_nickname": "without nickname", "unknown": "unknown"},
    }
    parts = rows.groupby("phase", sort=False)["second"].agg(["min", "max"])
    for axes, (label, lines) in zip(figure.subplots(len(panels), 1, sharex=True), panels.items(), strict=True):
        for column, name in lines.items():
            axes.plot(rows["second"], rows[column], label=name)
        for number, (phase, start, end) in enumerate(parts.itertuples()):
            axes.axvspan(start, end, color="0.5", alpha=0.06 * (number + 1), lw=0)
            axes.text(start, 1.02, phase, transform=axes.get_xaxis_transform(), fontsize=8)
        axes.set(ylabel=label, ylim=(0, None))
        axes.legend(frameon=False, fontsize=8, loc="upper left")
        axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("seconds")
    return figure


def _counts(prometheus: Prometheus) -> dict[str, dict[str, int]]:
    # Triton counts a moment after it answers.
    prometheus.wait_for_scrape(time.time() + 1)
    return {
        who: {name: round(prometheus.value(query)) for name, query in queries.items()}
        for who, queries in COUNTS.items()
    }


def _seen(prometheus: Prometheus, phase: Phase, start_s: float, end_s: float) -> pd.DataFrame:
    rows = pd.DataFrame({name: prometheus.over_time(query, start_s, end_s, step_s=1) for name, query in SERIES.items()})
    rows.insert(0, "phase", phase.name)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=positive, default=60, help="of each phase")
    parser.add_argument("--clients", type=positive, default=8, help="at once")
    parser.add_argument("--users", type=positive, default=256, help="different ones")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    args = parser.parse_args()
    about = {name: getattr(args, name) for name in ("seed", "users", "seconds", "clients")}
    about["load_average_before"] = round(os.getloadavg()[0], 1)
    try:
        with (
            running_triton(ROOT / "model_repository", PERCENTILES) as server,
            running_product(server, args.users, args.seed) as product,
            running_prometheus({"triton": [server.metrics_url], "product": [product.metrics_url]}) as prometheus,
        ):
            seen = watch(prometheus, product, phases(args.clients, args.seconds))
    except (StartError, LaunchError, ProductError, TimeoutError) as exc:
        raise SystemExit(f"observe: {exc}") from exc
    report(seen, about, args.results)
    print((args.results / "observability.md").read_text())
    if not seen.is_right():
        raise SystemExit("observe: what was counted is not what was sent")


if __name__ == "__main__":
    main()
