"""Markdown tables."""

from perf.report.markdown import table
from tests.support.markdown import cells


def test_table_formats_cells_and_leaves_missing_values_empty() -> None:
    rows: list[dict[str, object]] = [{"model": "densenet", "p50_ms": 11.24}, {"model": "mobilenet", "p50_ms": None}]
    text = table(rows, {"model": "{model}", "p50 ms": "{p50_ms:.1f}"})
    assert cells(text) == [["model", "p50 ms"], ["densenet", "11.2"], ["mobilenet", ""]]
