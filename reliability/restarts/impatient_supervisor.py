"""The supervisor with short pauses between restarts, so that a hundred of them take minutes."""

from dataclasses import replace
from typing import Final

from server.supervisor.__main__ import main
from server.supervisor.snapshot import DEFAULTS

MAX_PAUSE_S: Final = 0.5

if __name__ == "__main__":
    main(limits=replace(DEFAULTS, max_pause_s=MAX_PAUSE_S))
