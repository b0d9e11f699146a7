"""Simulate a day of the product in two minutes: a server, the users of locust, and locust's report.

    make load
    python -m perf.load --web        # locust's web page instead of a report, until Ctrl-C

Writes `out/load.html`.
"""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from server.launch.process import ROOT, StartError

from ..report.runner import positive
from .served import running_gender_models

LOCUSTFILE: Final = Path(__file__).parent / "locustfile.py"


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=positive, default=50, help="concurrent users at the highest spike")
    parser.add_argument("--seconds", type=positive, default=120, help="length of the day")
    parser.add_argument("--web", action="store_true", help="serve locust's web page instead of writing a report")
    parser.add_argument("--report", type=Path, default=ROOT / "out" / "load.html", help="file to write")
    args = parser.parse_args()
    # Without a handler, SIGTERM would leave locust behind.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        raise SystemExit(run_locust(args.users, args.seconds, None if args.web else args.report))
    except StartError as exc:
        raise SystemExit(f"load: {exc}") from exc
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def run_locust(users: int, seconds: int, report: Path | None) -> int:
    """Start a server, run locust on it, and return locust's exit code, which is 1 if a request failed.

    Without a report, locust serves its web page.
    """
    flags = [f"--users={users}", f"--run-time={seconds}s"]
    if report:
        report.parent.mkdir(parents=True, exist_ok=True)
        flags += ["--headless", f"--html={report}", "--only-summary", "--loglevel=WARNING"]
    with running_gender_models() as server:
        hosts = {"GRPC_HOST": f"grpc://{server.grpc_url}", "HTTP_HOST": f"http://{server.http_url}"}
        command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *flags]
        return subprocess.run(command, env={**os.environ, **hosts}, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    main()
