"""Every way in that the tests try, and whether it is shut.

    python -m reliability.attacks

Runs those tests, on a real nginx before a real Triton. Writes `results/attacks.{json,md}`; fails where one fails.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from server.launch.process import ROOT
from training.report import write_report

# The tests, by what is attacked.
DOORS: Final = {
    "the front: tokens, TLS, rates, bodies, routes, half-open connections": "tests/server/edge/test_edge.py",
    "Triton's doors for its operator": "tests/server/edge/test_admin_lock.py",
    "model files": "tests/server/launch/test_checksums.py",
    "avatars and nicknames, wherever something is written": "tests/test_privacy.py",
    "secrets in the repository": "tests/test_secrets.py",
}

Row = dict[str, Any]


def attempt(doors: dict[str, str]) -> Iterator[Row]:
    """For each test what is attacked in it, what it is called, and its result: `held`, `skipped` or `broken`."""
    for what, file in doors.items():
        for case in _cases(ROOT / file):
            ended = {child.tag for child in case}
            result = "broken" if ended & {"failure", "error"} else "skipped" if "skipped" in ended else "held"
            yield {"what": what, "file": file, "attempt": _spoken(case.attrib["name"]), "result": result}


def _cases(file: Path) -> list[ElementTree.Element]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", str(file)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if not report.is_file():
            raise SystemExit(f"attacks: {file} did not run: {done.stderr or done.stdout}")
        return list(ElementTree.parse(report).iter("testcase"))


def _spoken(name: str) -> str:
    # Tokens are no part of a name, be they made for the test alone.
    return re.sub("[0-9a-f]{16,}", "…", name.removeprefix("test_").replace("_", " "))


def summarize(rows: Sequence[Row]) -> list[Row]:
    """By what is attacked, how many tests had which result."""
    return [
        {"what": what, "file": file}
        | {
            result: sum(row["what"] == what and row["result"] == result for row in rows)
            for result in ("held", "broken", "skipped")
        }
        for what, file in dict.fromkeys((row["what"], row["file"]) for row in rows)
    ]


def markdown(found: Sequence[Row], rows: Sequence[Row]) -> str:
    """The document, from what `summarize` and `attempt` returned."""
    counts = [
        f"| {row['what']} | {row['held']} | {row['broken']} | {row['skipped']} | `{row['file']}` |" for row in found
    ]
    lines = [f"- {row['attempt']}: {row['result']}" for row in rows]
    return f"""# Attackers refused

Written by `python -m reliability.attacks`, like `attacks.json` beside it, which has machine and date. It runs the tests named
here, each of which tries to get in, or sees that others do; on a real nginx before a real Triton.

| attacked | tests that held | broken | not tried | |
|---|---|---|---|---|
{chr(10).join(counts)}

{chr(10).join(lines)}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    results = parser.parse_args().results
    rows = list(attempt(DOORS))
    found = summarize(rows)
    # The attempts are the same every time: nothing is drawn.
    write_report(results / "attacks.json", seed=None, doors=found, attempts=rows)
    (results / "attacks.md").write_text(markdown(found, rows), encoding="utf-8")
    print((results / "attacks.md").read_text())
    if any(row["broken"] for row in found):
        sys.exit("attacks: something does not hold; see above")


if __name__ == "__main__":
    main()
