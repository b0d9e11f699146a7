"""Run one performance experiment, or write `results/PERFORMANCE.md`."""

from .document import PERFORMANCE
from .report.runner import main

if __name__ == "__main__":
    main(PERFORMANCE)
