"""The shipped document follows from the shipped result files."""

from perf.document import PERFORMANCE
from tests.support.tritonserver import ROOT

RESULTS = ROOT / "results"


def test_shipped_document_is_that_of_the_shipped_results() -> None:
    assert (RESULTS / PERFORMANCE.file).read_text() == PERFORMANCE.markdown(RESULTS)
