"""A tritonserver that is watched by real inferences, and revived or replaced when they fail.

    python -m server.supervisor --model-repository=model_repository [any flags of tritonserver]

Exit code 2: these flags cannot be served; 3: given up; 130, 143: stopped by Ctrl-C, SIGTERM.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from types import FrameType
from typing import Final, NoReturn

from server.errors import LaunchError
from server.launch.process import LAUNCHER

from .child import Command
from .policy import DEFAULTS
from .status import STATUS_PORT, Status, serving
from .watch import GaveUp, Reports, Supervisor, say

CANNOT_SERVE: Final = 2
GAVE_UP: Final = 3


def main(launcher: Sequence[str] = LAUNCHER) -> None:
    """Supervise until told to stop; `launcher` is what becomes tritonserver."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--status-address", default="127.0.0.1", help="of /ready, /live and /metrics")
    parser.add_argument("--status-port", type=int, default=STATUS_PORT)
    parser.add_argument("--restart-limit", type=int, default=DEFAULTS.restarts, help="in a row, before giving up")
    args, arguments = parser.parse_known_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    status = Status()
    try:
        command = Command.of(arguments, launcher)
        limits = replace(DEFAULTS, restarts=args.restart_limit)
        with serving(status, args.status_address, args.status_port) as port:
            well = f"every ensemble answers; http://{args.status_address}:{port}/ready says so"
            Supervisor(command, status, Reports(say, lambda: say(well)), limits=limits).run()
    except LaunchError as exc:
        print(f"supervisor: {exc}", file=sys.stderr)
        sys.exit(CANNOT_SERVE)
    except GaveUp as exc:
        say(f"giving up: {exc}")
        sys.exit(GAVE_UP)
    except KeyboardInterrupt:
        sys.exit(130)


def _end(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
