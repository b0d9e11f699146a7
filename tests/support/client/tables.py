"""Tables of users, written and read in every format."""

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, Any]

DELIMITERS = {".csv": ",", ".tsv": "\t"}


def write_table(file: Path, rows: list[Row]) -> Path:
    if file.suffix in DELIMITERS:
        with file.open("w", encoding="utf-8", newline="") as lines:
            writer = csv.DictWriter(lines, rows[0], delimiter=DELIMITERS[file.suffix])
            writer.writeheader()
            writer.writerows(rows)
    elif file.suffix == ".json":
        file.write_text(json.dumps(rows), encoding="utf-8")
    elif file.suffix == ".jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        pq.write_table(pa.Table.from_pylist(rows), file)
    return file


def read_table(file: Path) -> list[Row]:
    rows: list[Row]
    if file.suffix == ".parquet":
        rows = pq.read_table(file).to_pylist()
        return rows
    suffix = Path(file.name.removesuffix(".gz")).suffix
    text = (gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()).decode()
    if suffix == ".json":
        rows = json.loads(text)
    elif suffix == ".jsonl":
        rows = [json.loads(line) for line in text.splitlines()]
    else:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=DELIMITERS[suffix]))
    return rows
