"""Ranges of rows from several Parquet files."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from genderclient.tables import Columns
from genderclient.tables.parquet import ParquetTable, read_parquet


def test_rows_reads_any_range_across_files(tmp_path: Path) -> None:
    rows = [{"nickname": str(number)} for number in range(12)]
    for name, part in (("a", rows[:5]), ("b", []), ("c", rows[5:])):
        table = pa.Table.from_pylist(part, pa.schema([("nickname", pa.string())]))
        pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=3)
    parquet = ParquetTable.of(sorted(tmp_path.iterdir()), Columns())
    assert parquet.starts == (0, 5, 5, 12)
    for start in range(13):
        for stop in range(start, 15):
            assert list(parquet.rows(start, stop)) == rows[start:stop]


def test_rows_of_a_file_without_the_columns_count(tmp_path: Path) -> None:
    pq.write_table(pa.table({"nickname": ["a0", "a1"]}), tmp_path / "a.parquet")
    assert list(read_parquet(tmp_path / "a.parquet", [])) == [{}, {}]
