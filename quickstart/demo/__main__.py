"""`python -m quickstart.demo`; the command is in `command.py`."""

import signal

# Its imports take a second; after them, it handles the stop signals itself. Python would answer Ctrl-C by a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from .command import main  # noqa: E402

main()
