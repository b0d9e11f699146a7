"""The shipped results document."""

from reliability.document import RELIABILITY
from server.launch.process import ROOT


def test_shipped_document_is_generated_from_shipped_results() -> None:
    results = ROOT / "results"
    assert (results / RELIABILITY.file).read_text(encoding="utf-8") == RELIABILITY.markdown(results)
