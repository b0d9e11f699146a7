"""The supervisor, which soon tries again to load a model that was set aside."""

from dataclasses import replace

from server.supervisor.__main__ import main
from server.supervisor.snapshot import DEFAULTS

if __name__ == "__main__":
    main(limits=replace(DEFAULTS, retry_s=3.0))
