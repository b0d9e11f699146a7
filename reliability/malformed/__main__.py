"""Try all hostile input on every route, and count what becomes of it.

    python -m reliability.malformed                           # ten minutes; results/bad_input.{json,md}
    python -m reliability.malformed --of-each 2 --fuzz 5      # a taste of it

Fails where an input got a result that is not right, or a good user a wrong answer.
"""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from perf.report.command import positive
from server.errors import LaunchError
from server.launch.process import ROOT, StartError, running_triton

from .cases import Case, some
from .fuzz import MODALITIES, fuzz
from .report import report
from .requests import killer_cases
from .runner import Row, hold_open, prepare_all, send_all, send_killers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=positive, default=1)
    parser.add_argument("--of-each", type=positive, default=10**6, help="inputs of each kind; all by default")
    parser.add_argument("--fuzz", type=positive, default=60, help="seconds for each of avatar and nickname")
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    args = parser.parse_args()

    def choose(cases: Iterable[Case]) -> Iterable[Case]:
        return some(cases, args.of_each)

    try:
        rows, seen = list(prepare_all(choose, args.seed)), list[Row]()
        with running_triton(ROOT / "model_repository") as server:
            rows += send_all(server, choose, args.seed, seen)
            seen.append(hold_open(server))
        killers = list(send_killers(choose(killer_cases())))
    except (StartError, LaunchError, OSError) as exc:
        raise SystemExit(f"hostile: {exc}") from exc
    runs = [fuzz(modality, args.fuzz, args.seed) for modality in MODALITIES]
    wrong = report(pd.DataFrame(rows), seen, killers, runs, args.seed, args.results)
    print((args.results / "bad_input.md").read_text())
    survived = not any(row["died"] for row in killers if row["front"])
    if wrong or not survived or any(run.crash for run in runs) or any(row["wrong"] for row in seen):
        sys.exit("hostile: something was not answered as it should be; see above")


if __name__ == "__main__":
    main()
