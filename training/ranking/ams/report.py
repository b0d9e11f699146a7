"""The document of `training.ranking.ams.measure`, from the content of `results/ams.json`."""

from collections.abc import Mapping
from typing import Any, Final

from ...report import markdown_table
from . import cost
from .compression import Compression

# The article's cluster and compressor.
_NODES: Final = 20
_COMPRESSOR: Final = (4096, 256, 64, 12)


def document(report: Mapping[str, Any]) -> str:
    """Return the content of `results/ams.json` as Markdown."""
    rows = report["rows"]
    reduced = cost.all_reduce(_NODES, Compression(_COMPRESSOR).parameters)
    worst = max(abs(row["crossing_cable"] / row["crossing_formula"] - 1) for row in rows)
    cells = [
        (
            row["arm"],
            "yes" if row["once"] else "no",
            f"{row['pictures']:,.0f}",
            *(_megabytes(row[name]) for name in ("formula", "meter", "crossing_formula", "crossing_cable")),
            f"{row['crossing_cable'] / row['crossing_formula'] - 1:+.1%}",
            _megabytes(row["stored_by_workers"]),
            _megabytes(row["stored_by_servers"]),
            f"{row['seconds']:.2f}",
        )
        for row in rows
    ]
    columns = (
        *("vectors", "each picture once", "pictures", "formula, MB", "meter, MB", "formula, crossing", "cable"),
        *("cable against formula", "samples, MB", "servers, MB", "s a step"),
    )
    return f"""# Advanced Model Server

Written by `python -m training.ranking.ams.measure` on {report["date"]}, {report["machine"]}, seed {report["seed"]}.

Bytes of one training step on two Ray nodes, each a network namespace with one server and one worker: means over
{report["steps"]} steps. {report["pictures"]:,} pictures are drawn with a popularity of 1 / rank, and a history has up
to {report["history"]} of them; how much deduplication saves depends on this popularity. The formula and the meter
count all calls. *Crossing* are those between the nodes; the virtual cable counts them with all headers. The largest
difference between cable and formula is {worst:.1%}. Both nodes share one machine: the seconds compare layouts and say
nothing about a network.

{markdown_table(cells, columns)}

The article's mini-batch ({_NODES} nodes, 320,000 distinct pictures, 1.4 million ids), by the same formulas:

{markdown_table(_article(), ("vectors", "traffic, MB", "of it pictures"))}

The article leaves out the all-reduce of the compressor, which adds {_megabytes(reduced)} MB to each row.
"""


def _article() -> list[tuple[str, str, str]]:
    """Return the table of the article."""
    ids = cost.id_embeddings(1_400_000)
    pictures = {
        "raw vectors in the samples": 0,
        "raw vectors sent": cost.raw_vectors(320_000, 4096),
        "AMS": cost.compressed_vectors(320_000),
        "128-d fp16 vectors sent": cost.raw_vectors(320_000, 128, 2),
    }
    return [(name, _megabytes(ids + count), _megabytes(count)) for name, count in pictures.items()]


def _megabytes(count: float) -> str:
    """Format a number of bytes."""
    return f"{count / 1e6:,.2f}"
