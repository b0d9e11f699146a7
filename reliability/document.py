"""Write `results/RELIABILITY.md` from what the other commands found: load, faults, bad input.

python -m reliability.document
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from perf.report.goals import Goal, table
from server.launch.process import ROOT

RESULTS: Final = ROOT / "results"
# An input is dealt with within so long, and with so much memory.
INPUT_S: Final = 1.0
INPUT_MB: Final = 256

File = Mapping[str, Any]


def _own(file: File) -> Iterator[Goal]:
    """The goals that a file holds already."""
    yield from (Goal(**goal) for goal in file["goals"])


def _drill(file: File) -> Iterator[Goal]:
    for each in file["drills"]:
        if each["not_run"]:
            yield Goal(f"{each['fault']}: nothing lost", f"not run: {each['not_run']}", False)
            continue
        lost = sum(each["lost"].values())
        figure = (
            f"of {each['sent']:,} requests {lost} lost, {each['doubled']} doubled, {each['wrong']} wrong; "
            f"back after {each['recovery_s']:.1f} s"
        )
        yield Goal(f"{each['fault']}: nothing lost, back within {each['goal_s']:g} s", figure, each["met"])


def _bad_input(file: File) -> Iterator[Goal]:
    kinds, alone = file["kinds"], [row for row in file["kinds"] if row["route"] == "preprocessing"]
    tries, executions = sum(row["count"] for row in kinds), sum(run["executions"] for run in file["fuzzing"])
    yield Goal(
        "every bad input is answered or refused by name",
        f"{tries:,} tried, {len(file['wrong'])} otherwise",
        not file["wrong"],
    )
    slowest, largest = max(row["worst_cpu_s"] for row in alone), max(row["memory_mb"] for row in alone)
    yield Goal(f"none takes more than {INPUT_S:g} s of CPU", f"{slowest:.2f} s", slowest <= INPUT_S)
    yield Goal(f"none takes more than {INPUT_MB} MB", f"{largest:.0f} MB", largest <= INPUT_MB)
    wrong = sum(row["wrong"] for row in file["meanwhile"])
    asked, most = sum(row["answers"] for row in file["meanwhile"]), max(row["memory_mb"] for row in file["meanwhile"])
    yield Goal("good users are answered meanwhile", f"{asked:,} asked, {wrong} in vain", wrong == 0)
    yield Goal(f"a server under it takes at most {INPUT_MB} MB more", f"{most:.0f} MB", most <= INPUT_MB)
    fronted = [row for row in file["killers"] if row["front"]]
    died = sum(row["died"] for row in fronted)
    yield Goal(
        "what kills Triton 2.51 does not reach it through the front",
        f"{len(fronted)} tried, {died} did",
        bool(fronted) and not died,
    )
    broken = sum(bool(run["crash"]) for run in file["fuzzing"])
    yield Goal("fuzzing finds nothing that breaks", f"{executions:,} executions, {broken} crashes", not broken)


def _observability(file: File) -> Iterator[Goal]:
    sent, counted = file["sent"], file["counted"]
    for who, counts in counted.items():
        wrong = {name: count for name, count in counts.items() if count != sent[name]}
        yield Goal(
            f"Prometheus has counted of the {who} what was sent",
            f"{sum(sent.values()):,} events, {len(wrong)} counts differ",
            not wrong,
        )


# The files by their names without suffix: the heading, the command, and the goals in them.
SECTIONS: Final[Mapping[str, tuple[str, str, Callable[[File], Iterator[Goal]]]]] = {
    "overload": ("Load held", "python -m reliability.overload", _own),
    "soak": ("Held for long", "python -m reliability.soak", _own),
    "faults": ("Faults survived", "python -m reliability faults", _drill),
    "malformed": ("Bad input", "python -m reliability malformed", _bad_input),
    "observability": ("Seen by operators", "python -m reliability.monitoring", _observability),
}


def markdown(found: Mapping[str, File]) -> str:
    """The document, from the contents of the files of `SECTIONS` by name."""
    files = [
        f"| [{name}.md]({name}.md) | `{SECTIONS[name][1]}` | {file['date'][:10]} | {file['machine']} | {_seed(file)} |"
        for name, file in found.items()
    ]
    return f"""# Reliability

Written by `python -m reliability.document` from the files below; each command runs again what its file says.

| file | command | measured | machine | seed |
|---|---|---|---|---|
{chr(10).join(files)}

{chr(10).join(_section(name, file) for name, file in found.items())}"""


def _seed(file: File) -> str:
    return "nothing is drawn" if file["seed"] is None else str(file["seed"])


def _section(name: str, file: File) -> str:
    heading, _, goals = SECTIONS[name]
    picture = f"\n![{heading}]({name}.png)\n" if (RESULTS / f"{name}.png").is_file() else ""
    return f"## {heading}\n\n{table(goals(file))}\n{picture}"


def read(results: Path) -> dict[str, File]:
    """The contents of the files of `SECTIONS`.

    Raises:
        FileNotFoundError: one is missing; the message says which command writes it.
    """
    for name, (_, command, _) in SECTIONS.items():
        if not (results / f"{name}.json").is_file():
            raise FileNotFoundError(f"no {results / name}.json; write it with: {command}")
    return {name: json.loads((results / f"{name}.json").read_text(encoding="utf-8")) for name in SECTIONS}


def main() -> None:
    try:
        text = markdown(read(RESULTS))
    except FileNotFoundError as exc:
        raise SystemExit(f"reliability: {exc}") from exc
    (RESULTS / "RELIABILITY.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
