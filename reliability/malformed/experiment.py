"""Malformed input as an experiment."""

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final

import pandas as pd

from perf.load.served import running_gender_models
from perf.report.experiment import Experiment, Goal, Measurement, records
from perf.report.markdown import table
from perf.report.runner import positive

from .cases.case import sample_per_kind
from .fuzz import MAX_BYTES, fuzz
from .requests import crashing_requests
from .runner import DIRECT, REQUEST_RESULTS, Row, hold_open, prepare_all, send_all, send_crashing, unexpected

KEYS: Final = ["route", "what", "kind"]
MAX_CPU_S: Final = 1.0
MAX_MB: Final = 256
# The memory of Triton wavers by less while the reverse proxy rejects a request.
NOISE_MB: Final = 16


class Malformed(Experiment):
    """Send malformed avatars, nicknames and requests on every route, and fuzz the preprocessing. Takes ten minutes.

    Exits with 1 if an input has an incorrect result, a valid request fails meanwhile, or the reverse proxy lets a
    request through that crashes Triton. Needs nginx for the last.
    """

    name = "malformed"
    title = "Malformed input"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--per-kind", type=positive, default=10**6, help="inputs of each kind; default: all")
        parser.add_argument("--fuzz", type=positive, default=60, help="seconds for each of avatar and nickname")

    def measure(self, args: Any) -> Measurement:
        rows = list(prepare_all(args.per_kind, args.seed))
        with running_gender_models() as server:
            live_rows, effects = send_all(server, args.per_kind, args.seed)
            effects.append(hold_open(server))
        crashing = list(send_crashing(sample_per_kind(crashing_requests.cases(), args.per_kind)))
        runs = [asdict(fuzz(modality, args.fuzz, args.seed)) for modality in MAX_BYTES]
        results = {"meanwhile": effects, "killers": crashing, "fuzzing": runs}
        return Measurement(pd.DataFrame(), summarize(pd.DataFrame(rows + live_rows)) | results)

    def goals(self, measurement: Measurement) -> Iterator[Goal]:
        results = measurement.metadata
        tried, wrong = sum(row["count"] for row in results["kinds"]), len(results["wrong"])
        yield Goal("every malformed input is answered, or refused by name", f"{wrong} of {tried:,} are not", not wrong)
        direct = [row for row in results["kinds"] if row["route"] == DIRECT]
        cpu_s, input_mb = (max(row[name] for row in direct) for name in ("worst_cpu_s", "memory_mb"))
        yield Goal(f"an input takes at most {MAX_CPU_S:g} s of CPU", f"{cpu_s:.2f} s", cpu_s <= MAX_CPU_S)
        yield Goal(f"an input takes at most {MAX_MB} MB", f"{input_mb:.0f} MB", input_mb <= MAX_MB)
        sent, failed = (sum(row[name] for row in results["meanwhile"]) for name in ("answers", "wrong"))
        yield Goal("valid requests are answered correctly meanwhile", f"{failed} of {sent:,} are not", not failed)
        server_mb = max(row["memory_mb"] for row in results["meanwhile"])
        yield Goal(f"the server grows by at most {MAX_MB} MB meanwhile", f"{server_mb:.0f} MB", server_mb <= MAX_MB)
        proxied = [row for row in results["killers"] if row["front"]]
        through = sum(map(_got_through, proxied))
        text = "the reverse proxy stops requests that crash Triton 2.51 or take its memory"
        yield Goal(text, f"{through} of {len(proxied)} got through", bool(proxied) and not through)
        executions, broken = sum(run["executions"] for run in results["fuzzing"]), _fuzzing_crashes(results)
        yield Goal("fuzzing finds no crash", f"{broken} in {executions:,} executions", not broken)

    def table(self, measurement: Measurement) -> str:
        results = measurement.metadata
        crashing = [
            {**row, "proxied": _YES_NO[row["front"]], "crashed": _YES_NO[row["died"]]} for row in results["killers"]
        ]
        fuzzing = [{**run, "crashed": _YES_NO[bool(run["crash"])]} for run in results["fuzzing"]]
        return f"""\
Code in `reliability/malformed` makes every input. Avatars and nicknames go to the preprocessing in a process of
its own, where CPU time and memory are measured, and to a live Triton over gRPC and HTTP; whole requests go to Triton.
An avatar or nickname must be answered or refused (INVALID_ARGUMENT, 400). A whole request may also lead to another
named error, and if it is not valid HTTP, to a closed connection. `{self.name}.json` has the routes one by one.

{table(_by_kind(results["kinds"]), _KINDS)}

{_wrong(results["wrong"])}\
Meanwhile, a client sent a valid request over a new connection again and again. Wrong: no answer, or another answer than
from an idle server. Memory is that of Triton and its stubs above the start, after avatars of 10 MiB.

{table(results["meanwhile"], _EFFECTS)}

Requests that Triton 2.51 does not survive or that take all its memory, each sent to a new server, directly and through
`server.edge`. Wherever strangers can reach the wheel's Triton, it must stand behind that proxy.

{table(crashing, _CRASHING)}

Fuzzing with atheris, guided by coverage:

{table(fuzzing, _FUZZING)}"""

    def failure(self, measurement: Measurement) -> str:
        results = measurement.metadata
        failed = results["wrong"] or any(row["wrong"] for row in results["meanwhile"]) or _fuzzing_crashes(results)
        through = any(_got_through(row) for row in results["killers"] if row["front"])
        return "an input has an incorrect result, see above" if failed or through else ""


def _got_through(row: Row) -> bool:
    """Whether a request crashed Triton or took more of its memory than noise."""
    return bool(row["died"] or row["memory_mb"] > NOISE_MB)


_YES_NO: Final = ("no", "yes")
_KINDS: Final = {
    "what": "{what}",
    "kind": "{kind}",
    "tried": "{count}",
    **{result: f"{{{result}}}" for result in REQUEST_RESULTS},
    "worst s": "{worst_s:.2f}",
    "worst CPU s": "{worst_cpu_s:.2f}",
    "most MB": "{memory_mb:.0f}",
}
_EFFECTS: Final = {
    "route": "{route}",
    "malformed input": "{what}",
    "valid requests": "{answers}",
    "wrong": "{wrong}",
    "worst s": "{worst_s:.2f}",
    "most MB": "{memory_mb:.0f}",
    "MB after": "{memory_after_mb:.0f}",
}
_CRASHING: Final = {
    "kind": "{kind}",
    "request": "{name}",
    "proxied": "{proxied}",
    "result": "{result}",
    "seconds": "{seconds:.1f}",
    "most MB": "{memory_mb:.0f}",
    "Triton crashed": "{crashed}",
}
_FUZZING: Final = {
    "input": "{modality}",
    "executions": "{executions:,}",
    "edges": "{coverage}",
    "inputs kept": "{kept}",
    "crashed": "{crashed}",
}


def summarize(rows: pd.DataFrame) -> dict[str, list[Row]]:
    """Return `kinds`, one row per route and kind with counts and worst cases, and `wrong`, the incorrect results."""
    wrong = unexpected(rows)
    kinds = rows.assign(
        wrong=rows.index.isin(wrong.index), **{result: rows["result"].eq(result) for result in REQUEST_RESULTS}
    )
    summary = kinds.groupby(KEYS, sort=False).agg(
        count=("name", "size"),
        wrong=("wrong", "sum"),
        worst_s=("seconds", "max"),
        worst_cpu_s=("cpu_seconds", "max"),
        memory_mb=("memory_mb", "max"),
        **{result: (result, "sum") for result in REQUEST_RESULTS},
    )
    return {"kinds": records(summary.reset_index()), "wrong": records(wrong.drop(columns="expected"))}


def _by_kind(kinds: list[Row]) -> pd.DataFrame:
    """Combine the routes: sums of the counts, maxima of the others. Only the preprocessing measures CPU and memory."""
    counts = dict.fromkeys(("count", *REQUEST_RESULTS), "sum")
    worst = dict.fromkeys(("worst_s", "worst_cpu_s", "memory_mb"), "max")
    return pd.DataFrame(kinds).groupby(["what", "kind"], sort=False).agg({**counts, **worst}).reset_index()


def _wrong(wrong: list[Row]) -> str:
    columns = {"route": "{route}", "kind": "{kind}", "input": "{name}", "result": "{result}"}
    return f"Incorrect results:\n\n{table(wrong, columns)}\n\n" if wrong else ""


def _fuzzing_crashes(results: Mapping[str, Any]) -> int:
    return sum(bool(run["crash"]) for run in results["fuzzing"])
