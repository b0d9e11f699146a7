"""The supervisor with another launcher: its tritonserver runs under libfaketime, itself it does not.

Under libfaketime 0.9.10 Python's own `time.sleep` fails, so only the server can have the wrong clock.
"""

import os

from server.launch.process import LAUNCHER
from server.supervisor.__main__ import main

LIBRARY = "DRILL_LIBFAKETIME"

if __name__ == "__main__":
    main(("env", f"LD_PRELOAD={os.environ[LIBRARY]}", *LAUNCHER))
