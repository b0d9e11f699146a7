"""The supervisor with a tritonserver that runs under libfaketime.

The supervisor itself does not: under libfaketime 0.9.10, Python's `time.sleep` fails.
"""

import os

from server.launch.process import LAUNCHER
from server.supervisor.__main__ import main

LIBRARY = "FAULTS_LIBFAKETIME"

if __name__ == "__main__":
    main(("env", f"LD_PRELOAD={os.environ[LIBRARY]}", *LAUNCHER))
