"""What operators see: a Triton under load through the SDK, a Prometheus that scrapes it, and what that shows.

    python -m perf.observe        # needs prometheus

Three phases: a few users, as many as are answered at once, and the same with somebody who sends garbage. At the end
what Prometheus counted has to be what the clients sent. Writes `results/observability.{csv,json,md,png}`.
"""

import argparse
import os
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final

import pandas as pd
from matplotlib.figure import Figure

from genderclient import Client, GenderClientError, InvalidAvatar, InvalidNickname
from genderprep.contract import AVATAR, MAX_NICKNAME_BYTES, NICKNAME
from server.errors import LaunchError
from server.process import ROOT, Server, StartError, running_triton

from .command import positive, write
from .prometheus import Prometheus, running_prometheus
from .workload import User, users

MODEL: Final = "gender_mobilenet"
# The share of users who have not chosen a picture.
PICTURELESS: Final = 0.1
# Triton shows percentiles only where it is told to.
PERCENTILES: Final = "--metrics-config=summary_latencies=true"
REFUSALS: Final = {InvalidAvatar: f"refused {AVATAR}", InvalidNickname: f"refused {NICKNAME}"}

# What is asked of Prometheus for each second, and for the whole run.
WINDOW: Final = "5s"
SERIES: Final = {
    "answered_per_s": f'sum(rate(nv_inference_request_success{{model="{MODEL}"}}[{WINDOW}]))',
    "refused_per_s": f"sum(rate(gender_refused_requests_total[{WINDOW}]))",
    "p50_ms": f'nv_inference_request_summary_us{{model="{MODEL}",quantile="0.5"}} / 1000',
    "p99_ms": f'nv_inference_request_summary_us{{model="{MODEL}",quantile="0.99"}} / 1000',
    "waiting": "sum(nv_inference_pending_request_count)",
    "wait_ms": f'sum(rate(nv_inference_queue_duration_us{{model!~"gender_.+"}}[{WINDOW}])) / 1000 '
    f'/ sum(rate(nv_inference_request_success{{model="{MODEL}"}}[{WINDOW}]))',
    "no_avatar": f'sum(rate(gender_missing_inputs_total{{tensor="{AVATAR}"}}[{WINDOW}])) '
    f'/ sum(rate(nv_inference_count{{model="preprocess"}}[{WINDOW}]))',
    "no_nickname": f'sum(rate(gender_missing_inputs_total{{tensor="{NICKNAME}"}}[{WINDOW}])) '
    f'/ sum(rate(nv_inference_count{{model="preprocess"}}[{WINDOW}]))',
}
COUNTS: Final = {
    "answered": f'sum(nv_inference_request_success{{model="{MODEL}"}})',
    **{f"missing {name}": f'sum(gender_missing_inputs_total{{tensor="{name}"}})' for name in (AVATAR, NICKNAME)},
    **{f"refused {name}": f'sum(gender_refused_requests_total{{tensor="{name}"}})' for name in (AVATAR, NICKNAME)},
}


@dataclass(frozen=True)
class Phase:
    """A part of the run: clients at once, each asking again when it is answered, and the share of bad inputs."""

    name: str
    clients: int
    bad: float


@dataclass(frozen=True)
class Seen:
    """A run: `rows` has `phase`, `second` and each of `SERIES`; `sent` and `counted` each of `COUNTS`."""

    rows: pd.DataFrame
    sent: dict[str, int]
    counted: dict[str, int]


def phases(clients: int) -> list[Phase]:
    return [Phase("quiet", 1, 0.02), Phase("busy", clients, 0.02), Phase("garbage", clients, 0.3)]


def watch(
    server: Server, prometheus: Prometheus, load: Sequence[User], plan: Sequence[Phase], seconds: float, seed: int
) -> Seen:
    """Put a plan's phases, each of so many seconds, on a server with `PERCENTILES`, and ask Prometheus what it saw.

    Raises:
        GenderClientError: a request failed otherwise than by being refused.
        TimeoutError: Prometheus does not get at the server.
    """
    parts, sent = [], Counter[str]()
    with Client(f"grpc://{server.grpc_url}", model=MODEL) as client:
        client.wait_until_ready()
        before = _counts(prometheus)
        for number, phase in enumerate(plan):
            start_s = time.time()
            sent += _ask(client, load, phase, seconds, seed + number)
            prometheus.wait_for_scrape(time.time())
            parts.append(_seen(prometheus, phase, start_s, time.time()))
    after = _counts(prometheus)
    rows = pd.concat(parts)
    rows.insert(1, "second", rows.index - rows.index[0])
    counted = {name: round(after[name] - before[name]) for name in COUNTS}
    return Seen(rows.reset_index(drop=True), {name: sent[name] for name in COUNTS}, counted)


def report(seen: Seen, about: dict[str, Any], results: Path) -> None:
    """Write every second, the medians of the phases, the document and the plot to the folder `results`."""
    found = seen.rows.groupby("phase", sort=False)[list(SERIES)].median().round(3)
    by_phase = found.reset_index().to_dict("records")
    counts = {"sent": seen.sent, "counted": seen.counted}
    write("observability", seen.rows, markdown(found, seen), results, **about, phases=by_phase, **counts)
    chart(seen.rows).savefig(results / "observability.png", dpi=110)


def markdown(found: pd.DataFrame, seen: Seen) -> str:
    """The document, from the medians by phase and the counts."""
    phases = "\n".join(
        f"| {phase} | {' | '.join(f'{value:g}' for value in row)} |" for phase, *row in found.itertuples()
    )
    counts = "\n".join(f"| {name} | {seen.sent[name]} | {seen.counted[name]} |" for name in COUNTS)
    return f"""# What operators see

Written by `python -m perf.observe`, like `observability.json` beside it, which has machine, date and seed, and
`observability.csv`, which has every second. All figures are Prometheus' answers; medians of each phase. `no_avatar` and
`no_nickname` are shares of the users.

| phase | {" | ".join(found.columns)} |
|---|{"---|" * len(found.columns)}
{phases}

What the clients sent, and what Prometheus counted:

| | sent | counted |
|---|---|---|
{counts}
"""


def chart(rows: pd.DataFrame) -> Figure:
    """The series over time, with the phases behind them."""
    figure = Figure(figsize=(11, 7), layout="constrained")
    rates, latency, queue, shares = figure.subplots(4, 1, sharex=True)
    panels = {
        rates: {"answered_per_s": "answered", "refused_per_s": "refused"},
        latency: {"p50_ms": "p50", "p99_ms": "p99", "wait_ms": "mean wait"},
        queue: {"waiting": "waiting"},
        shares: {"no_avatar": "without avatar", "no_nickname": "without nickname"},
    }
    for axes, lines in panels.items():
        for column, label in lines.items():
            axes.plot(rows["second"], rows[column], label=label)
        for number, (phase, part) in enumerate(rows.groupby("phase", sort=False)):
            axes.axvspan(part["second"].min(), part["second"].max(), color="0.5", alpha=0.06 * (number + 1), lw=0)
            if axes is rates:
                axes.text(part["second"].min(), 1.02, str(phase), transform=axes.get_xaxis_transform(), fontsize=8)
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False, fontsize=8, loc="upper left")
        axes.spines[["top", "right"]].set_visible(False)
    for axes, label in zip(panels, ("a second", "ms in Triton", "requests", "share"), strict=True):
        axes.set_ylabel(label)
    shares.set_xlabel("seconds")
    return figure


def _ask(client: Client, load: Sequence[User], phase: Phase, seconds: float, seed: int) -> Counter[str]:
    """What became of everything that was asked in a phase, by the names of `COUNTS`."""
    garbage = _garbage(load)
    end = time.monotonic() + seconds

    def user(number: int) -> Counter[str]:
        dice, found = Random(f"{seed}/{number}"), Counter[str]()
        for turn in count(number, phase.clients):
            if time.monotonic() > end:
                break
            asked = dice.choice(garbage) if dice.random() < phase.bad else load[turn % len(load)]
            found.update(_outcome(client, asked.nickname, None if dice.random() < PICTURELESS else asked.avatar))
        return found

    with ThreadPoolExecutor(phase.clients) as pool:
        return sum(pool.map(user, range(phase.clients)), Counter[str]())


def _outcome(client: Client, nickname: str, avatar: bytes | None) -> list[str]:
    try:
        prediction = client.predict(nickname=nickname, avatar=avatar or None)
    except (InvalidAvatar, InvalidNickname) as refusal:
        return [REFUSALS[type(refusal)]]
    weights = {AVATAR: prediction.weights.avatar, NICKNAME: prediction.weights.nickname}
    return ["answered", *(f"missing {name}" for name, weight in weights.items() if weight == 0)]


def _garbage(load: Sequence[User]) -> list[User]:
    """Inputs that are refused, each for another reason."""
    jpeg = next(user.avatar for user in load if user.avatar.startswith(b"\xff\xd8"))
    return [
        User(b"no picture", "小美"),
        User(jpeg[: len(jpeg) // 2], "小美"),
        User(jpeg, "a" * (MAX_NICKNAME_BYTES + 1)),
    ]


def _counts(prometheus: Prometheus) -> dict[str, float]:
    # Triton counts a moment after it answers, so the next scrape but one is sure to see all.
    prometheus.wait_for_scrape(time.time() + 1)
    return {name: prometheus.value(expression) for name, expression in COUNTS.items()}


def _seen(prometheus: Prometheus, phase: Phase, start_s: float, end_s: float) -> pd.DataFrame:
    columns = {name: prometheus.over_time(text, start_s, end_s, step_s=1) for name, text in SERIES.items()}
    rows = pd.DataFrame(columns)
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
            running_prometheus({"triton": [server.metrics_url]}) as prometheus,
        ):
            load = users(args.users, args.seed)
            seen = watch(server, prometheus, load, phases(args.clients), args.seconds, args.seed)
    except (StartError, LaunchError, GenderClientError, TimeoutError) as exc:
        raise SystemExit(f"observe: {exc}") from exc
    report(seen, about, args.results)
    print((args.results / "observability.md").read_text())
    if seen.sent != seen.counted:
        raise SystemExit("observe: Prometheus did not count what the clients sent")


if __name__ == "__main__":
    main()
