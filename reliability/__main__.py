"""Run one reliability experiment, or write `results/RELIABILITY.md`."""

from typing import Final

from perf.report.markdown import Document
from perf.report.runner import main

from .faults.experiment import Faults
from .malformed.experiment import Malformed

DOCUMENT: Final = Document(
    command="reliability",
    title="Reliability",
    file="RELIABILITY.md",
    introduction="Load generators, servers and proxies share the cores of one machine.",
    experiments=(Faults(), Malformed()),
)

if __name__ == "__main__":
    main(DOCUMENT)
