"""What became of all hostile input, as one JSON and one document."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import pandas as pd

from training.report import write_report

from .fuzz import Run
from .runner import Row, unexpected

KEYS: Final = ["route", "what", "kind"]
RESULTS: Final = ("answered", "refused", "another error", "hung up")


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """By route, what and kind: how many, how many of each result, how many were not right, and the worst of each."""
    groups = rows.assign(wrong=rows.index.isin(unexpected(rows).index)).groupby(KEYS, sort=False)
    found = groups.agg(
        count=("name", "size"),
        wrong=("wrong", "sum"),
        worst_s=("seconds", "max"),
        worst_cpu_s=("cpu_seconds", "max"),
        memory_mb=("memory_mb", "max"),
    )
    for result in RESULTS:
        found[result] = rows["result"].eq(result).groupby([rows[name] for name in KEYS], sort=False).sum()
    return found.reset_index().round(3)


def report(
    rows: pd.DataFrame, seen: list[Row], killers: list[Row], runs: list[Run], seed: int, results: Path
) -> list[Row]:
    """Write `<results>/bad_input.json` and `.md`; returns the inputs whose result was not right."""
    wrong, kinds = _records(unexpected(rows).drop(columns="expected")), _records(summarize(rows))
    fuzzed = [asdict(run) for run in runs]
    found = {"kinds": kinds, "meanwhile": seen, "killers": killers, "fuzzing": fuzzed, "wrong": wrong}
    write_report(results / "bad_input.json", seed=seed, **found)
    document = markdown(kinds, seen, killers, fuzzed, wrong)
    (results / "bad_input.md").write_text(document, encoding="utf-8")
    return wrong


def markdown(kinds: list[Row], seen: list[Row], killers: list[Row], fuzzed: list[Row], wrong: list[Row]) -> str:
    """The document, from what `report` collects."""
    tries = sum(row["count"] for row in kinds)
    return f"""# Bad input

Written by `python -m reliability.malformed`, like `bad_input.json` beside it, which has machine, date and seed. Every input is
made by code in `reliability/malformed`. {tries:,} tries, {len(wrong)} of them with a result that is not right.

By route: "preprocessing" is `genderprep` in a process of its own, with CPU time and memory of each input; gRPC and HTTP
are a live Triton, whose time has the waiting in it. An avatar or nickname must be answered or refused
(INVALID_ARGUMENT, 400); a whole request may get another named error, and HTTP that is none may be hung up on.

| route | what | kind | tried | answered | refused | another error | hung up | worst s | worst CPU s | most MB |
|---|---|---|---|---|---|---|---|---|---|---|
{_table(_kinds(kinds))}

{_wrong(wrong)}
What a good user saw who asked all the time meanwhile, over new connections, and the memory of Triton and its stubs
above what it was before, at most and afterwards; before, it had answered avatars of 10 MiB. Wrong: no answer, or
another than alone.

| route | what | asked | wrong | worst s | most MB | MB after |
|---|---|---|---|---|---|---|
{_table(_seen(seen))}

What Triton 2.51 does not bear over HTTP, each sent to a new server, directly and behind the nginx of `server.edge.reverse_proxy`.
The wheel's Triton must stand behind it wherever strangers can reach it.

| kind | what | behind nginx | result | seconds | most MB | Triton |
|---|---|---|---|---|---|---|
{_table(_killers(killers))}

Fuzzing, guided by coverage (atheris):

| what | executions | edges | inputs kept | broken |
|---|---|---|---|---|
{_table(_fuzzed(fuzzed))}
"""


def _records(frame: pd.DataFrame) -> list[Row]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _table(lines: Iterable[list[Any]]) -> str:
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _kinds(kinds: list[Row]) -> Iterator[list[Any]]:
    for row in kinds:
        alone = row["route"] == "preprocessing"
        most = [f"{row['worst_cpu_s']:.2f}", f"{row['memory_mb']:.0f}"] if alone else ["", ""]
        counts = [row[name] for name in ("count", *RESULTS)]
        yield [row["route"], row["what"], row["kind"], *counts, f"{row['worst_s']:.2f}", *most]


def _wrong(wrong: list[Row]) -> str:
    if not wrong:
        return ""
    lines = ([row["route"], row["kind"], row["name"], row["result"]] for row in wrong)
    return f"Not right:\n\n| route | kind | what | result |\n|---|---|---|---|\n{_table(lines)}\n"


def _seen(seen: list[Row]) -> Iterator[list[Any]]:
    for row in seen:
        memory = (f"{row[name]:.0f}" for name in ("memory_mb", "memory_after_mb"))
        yield [row["route"], row["what"], row["answers"], row["wrong"], f"{row['worst_s']:.2f}", *memory]


def _killers(killers: list[Row]) -> Iterator[list[Any]]:
    for row in killers:
        shown = [f"{row['seconds']:.1f}", f"{row['memory_mb']:.0f}", "died" if row["died"] else "lives"]
        yield [row["kind"], row["name"], "yes" if row["front"] else "no", row["result"], *shown]


def _fuzzed(fuzzed: list[Row]) -> Iterator[list[Any]]:
    for run in fuzzed:
        yield [run["modality"], run["executions"], run["coverage"], run["kept"], "yes" if run["crash"] else "no"]
