"""`python -m quickstart`; the command is in `command.py`."""

import signal

if __name__ == "__main__":
    # The imports take a second; after them, the command handles the stop signals. Python would print a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .command import main

    main()
