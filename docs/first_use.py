"""Follow tutorials with a stop-watch: run all their commands and Python snippets in a fresh clone, and time milestones.

    python -m docs.first_use docs/tutorial.md docs/zh/tutorial.md

Writes `results/first_use.json`: seconds since `git clone` began, without those in which a person reads and types. Needs
a package index and the default ports of `make serve` and `make demo`. Packages do not come from pip's cache.
"""

import argparse
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from training.report import write_report

ROOT: Final = Path(__file__).resolve().parent.parent
# What readers have once a snippet with this text is done.
MILESTONES: Final = {
    "make run": "first_prediction",
    "make demo": "demo_page",
    "from genderclient import predict": "own_code",
    "genderclient score": "score_file",
    "gender_mobilenet_canary": "own_model",
}
# Stops on the first failure; background jobs are process groups.
_BEGIN: Final = """\
set -em
trap 'for job in $(jobs -p); do kill -- -$job; done; wait' EXIT
milestone() { echo "$1 $EPOCHREALTIME" >> "$TIMES"; }
milestone begin
"""
# `make serve` and `make demo` say how to stop them once they serve.
_IN_BACKGROUND: Final = """\
: > "$TIMES.log"
{command} > "$TIMES.log" 2>&1 &
until grep -q Ctrl-C "$TIMES.log"; do kill -0 $!; sleep 0.1; done
"""


def follow(page: Path) -> dict[str, float]:
    """Return the seconds from the beginning of `git clone` to each milestone of a tutorial.

    Raises:
        subprocess.CalledProcessError: A command failed.
    """
    script = "".join([_BEGIN, *steps(page.read_text(encoding="utf-8").replace("ADDRESS", shlex.quote(str(ROOT))))])
    with TemporaryDirectory() as folder:
        times = Path(folder, "times")
        environment = {**os.environ, "TIMES": str(times), "PIP_NO_CACHE_DIR": "1"}
        subprocess.run(["bash", "-c", script], cwd=folder, env=environment, stdin=subprocess.DEVNULL, check=True)
        (_, begin), *milestones = (line.split() for line in times.read_text().splitlines())
        return {name: round(float(seconds) - float(begin), 1) for name, seconds in milestones}


def steps(page: str) -> Iterator[str]:
    """Return the snippets of a page as commands of bash, in order."""
    for language, text in re.findall(r"```(\w*)\n(.*?)```", page, re.DOTALL):
        if language == "python":
            yield f"python - <<'END'\n{text}END\n"
        elif text in ("make serve\n", "make demo\n"):
            yield _IN_BACKGROUND.format(command=text.strip())
        else:
            yield text
        yield from (f"milestone {name}\n" for part, name in MILESTONES.items() if part in text)
        if text == "make demo\n":
            yield "kill -- -$!; wait $! || true\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="+", type=Path)
    load = os.getloadavg()[0]
    tutorials = {str(page): follow(page) for page in parser.parse_args().pages}
    write_report(ROOT / "results" / "first_use.json", load_average_before=round(load, 1), seconds=tutorials)


if __name__ == "__main__":
    main()
