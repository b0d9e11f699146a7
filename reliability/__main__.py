"""Run the reliability experiments: `python -m reliability --help`."""

from perf.report.runner import main

from .document import RELIABILITY

if __name__ == "__main__":
    main(RELIABILITY)
