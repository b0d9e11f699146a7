"""Markdown tables."""

from perf.report.markdown import table


def test_table_formats_cells_and_leaves_missing_values_empty() -> None:
    rows: list[dict[str, object]] = [{"model": "densenet", "p50_ms": 11.24}, {"model": "mobilenet", "p50_ms": None}]
    lines = table(rows, {"model": "{model}", "p50 ms": "{p50_ms:.1f}"}).splitlines()
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in (lines[0], *lines[2:])] == [
        ["model", "p50 ms"],
        ["densenet", "11.2"],
        ["mobilenet", ""],
    ]
