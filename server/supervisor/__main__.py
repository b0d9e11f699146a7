"""Run a tritonserver; reload its models or replace it when real inferences fail.

    python -m server.supervisor --model-repository=model_repository [any flags of tritonserver]

Exit codes: 2 invalid flags; 3 gave up; 130, 143 stopped by Ctrl-C or SIGTERM.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from server.errors import LaunchError
from server.launch.prctl import adopt_orphans
from server.launch.process import LAUNCHER, exit_on_stop_signals

from .child import Command
from .snapshot import DEFAULTS, Limits
from .status import STATUS_PORT, SupervisorStatus, serve_status
from .watch import GaveUp, Supervisor, log_action

INVALID_FLAGS: Final = 2
GAVE_UP: Final = 3


def main(launcher: Sequence[str] = LAUNCHER, limits: Limits = DEFAULTS) -> None:
    """Supervise until stopped; `launcher` is the command that becomes tritonserver."""
    parser = argparse.ArgumentParser(
        "python -m server.supervisor",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--status-address", default="127.0.0.1", help="address of /ready, /live and /metrics")
    parser.add_argument("--status-port", type=int, default=STATUS_PORT, help="port of them, %(default)s by default")
    parser.add_argument(
        "--restart-limit",
        type=int,
        metavar="COUNT",
        help="give up after so many restarts in a row; by default, restart for ever",
    )
    args, arguments = parser.parse_known_args()
    exit_on_stop_signals()
    adopt_orphans()
    status = SupervisorStatus()
    try:
        command = Command.parse(arguments, launcher)
        limits = replace(limits, restarts=args.restart_limit)
        with serve_status(status, args.status_address, args.status_port) as port:
            ready = f"every ensemble answers; http://{args.status_address}:{port}/ready says so"
            Supervisor(command, status, lambda: log_action("ready", ready), limits=limits).run()
    except LaunchError as exc:
        print(f"supervisor: {exc}", file=sys.stderr)
        sys.exit(INVALID_FLAGS)
    except GaveUp as exc:
        log_action("gave_up", f"giving up: {exc}", "error")
        sys.exit(GAVE_UP)


if __name__ == "__main__":
    main()
