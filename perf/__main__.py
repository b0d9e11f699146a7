"""Run the performance experiments: `python -m perf --help`."""

from .document import PERFORMANCE
from .report.runner import main

if __name__ == "__main__":
    main(PERFORMANCE)
