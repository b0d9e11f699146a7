"""What the measuring commands have in common: how much is measured, and what a result says about that."""

import argparse
import os
from pathlib import Path
from typing import Any

import pandas as pd

from server.launch.process import ROOT
from training.report import write_report


def arguments(description: str | None, clients: list[int] | None = None) -> argparse.Namespace:
    """Read the command line; `clients` are those that are measured by default, None where there is one only."""
    parser = parser_of(description)
    if clients:
        parser.add_argument("--clients", nargs="+", type=positive, default=clients)
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--seconds", type=positive, default=3, help="of each measure")
    return parser.parse_args()


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """What every measuring command is told."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=positive, default=256, help="different ones")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    return parser


def positive(text: str) -> int:
    """A count on the command line.

    Raises:
        argparse.ArgumentTypeError: it is none, or less than one.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a count; expected 1 or more")
    return int(text)


def circumstances(args: argparse.Namespace) -> dict[str, Any]:
    """What a result has to say besides machine and date; to be asked before measuring."""
    told = ("seed", "users", "minutes", "seconds", "rounds")
    about = {name: getattr(args, name) for name in told if hasattr(args, name)}
    return {**about, "load_average_before": round(os.getloadavg()[0], 1)}


def write(name: str, rows: pd.DataFrame, document: str, results: Path, **found: Any) -> None:
    """Write every measure, what was found in them, and the document to `<results>/<name>.csv`, `.json` and `.md`."""
    results.mkdir(parents=True, exist_ok=True)
    rows.round(4).to_csv(results / f"{name}.csv", index=False)
    write_report(results / f"{name}.json", **found)
    (results / f"{name}.md").write_text(document, encoding="utf-8")
