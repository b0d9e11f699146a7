"""A day of the product in two minutes: a server of its own, locust's users on it, and locust's report.

    make load
    python -m perf.load --web        # the same with locust's web page, until Ctrl-C

Writes `out/load.html`.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from server.launch.process import ROOT, StartError, running_triton

from ..report.command import positive

LOCUSTFILE: Final = Path(__file__).parent / "locustfile.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=positive, default=50, help="at once, at the height of a spike")
    parser.add_argument("--seconds", type=positive, default=120)
    parser.add_argument("--web", action="store_true", help="locust's web page instead of a report")
    parser.add_argument("--report", type=Path, default=ROOT / "out" / "load.html")
    args = parser.parse_args()
    try:
        raise SystemExit(load(args.users, args.seconds, None if args.web else args.report))
    except StartError as exc:
        raise SystemExit(f"load: {exc}") from exc
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def load(users: int, seconds: int, report: Path | None) -> int:
    """Run locust on a server that lives as long; returns locust's exit code, 1 if a request failed.

    Without `report` it serves its web page.

    Raises:
        StartError: the server did not come up.
    """
    flags = [f"--users={users}", f"--run-time={seconds}s"]
    if report:
        report.parent.mkdir(parents=True, exist_ok=True)
        flags += ["--headless", f"--html={report}", "--only-summary", "--loglevel=WARNING"]
    with running_triton(ROOT / "model_repository") as server:
        hosts = {"GRPC_HOST": f"grpc://{server.grpc_url}", "HTTP_HOST": f"http://{server.http_url}"}
        command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *flags]
        return subprocess.run(command, env={**os.environ, **hosts}, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    main()
