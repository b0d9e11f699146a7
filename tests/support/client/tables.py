"""Tables of users, written and read in every format."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, Any]


def write_table(file: Path, rows: list[Row]) -> Path:
    if file.suffix == ".csv":
        with file.open("w", encoding="utf-8", newline="") as lines:
            writer = csv.DictWriter(lines, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    elif file.suffix == ".jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        pq.write_table(pa.Table.from_pylist(rows), file)
    return file


def read_table(file: Path) -> list[Row]:
    if file.suffix == ".parquet":
        rows: list[Row] = pq.read_table(file).to_pylist()
        return rows
    with file.open(encoding="utf-8", newline="") as lines:
        return [json.loads(line) for line in lines] if file.suffix == ".jsonl" else list(csv.DictReader(lines))
