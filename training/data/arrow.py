"""Open manifests with Arrow, as pieces that are read one at a time."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset as ds

from .bad_rows import ManifestError

SPLITS: Final = ("train", "validation", "test")
_TEXT: Final = ("nickname", "avatar", "gender", "split", "source")
# Arrow converts these to text in CSV and Parquet, but not in JSONL; `label_text` does it there.
_JSON_LABELS: Final = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
# The parts of Arrow's messages that never hold content of the file. The rest may be a whole row.
_WITHOUT_CONTENT: Final = re.compile(
    r"In CSV column #\d+|(?:Row #\d+: )?Expected \d+ columns, got \d+|Row #\d+|invalid UTF8 data|Empty CSV file"
    r"|multiple columns|JSON parse error|in row \d+|Parquet magic bytes not found"
)


@dataclass(frozen=True)
class Piece:
    """A unit of reading: a Parquet row group, or a whole CSV or JSONL file. `first` numbers its first row."""

    fragment: ds.Fragment
    file: str
    first: int
    rows: int

    def has_only_another_split(self, split: str) -> bool:
        """Whether the statistics of a row group show that `split` is not in it."""
        groups = self.fragment.row_groups if isinstance(self.fragment, ds.ParquetFileFragment) else ()
        bounds = [(group.statistics or {}).get("split", {}) for group in groups]
        return any(bound.get("min") == bound.get("max") in {*SPLITS} - {split} for bound in bounds)


def open_dataset(file: Path) -> ds.Dataset:
    """Open a file, or the shards of a folder, with corrected types.

    Raises:
        ManifestError: The file type is unknown, or the file is damaged.
        FileNotFoundError: The file does not exist.
    """
    formats = {
        ".csv": ds.CsvFileFormat(pyarrow.csv.ParseOptions(newlines_in_values=True)),
        ".jsonl": ds.JsonFileFormat(),
        ".parquet": ds.ParquetFileFormat(),
    }
    files = shards_of(file) if file.is_dir() else [file]
    if not files or files[0].suffix not in formats:
        raise ManifestError(f"{file}: expected .csv, .jsonl, .parquet or a folder of .parquet files")
    if not file.exists():
        raise FileNotFoundError(f"no manifest {file}; `python -m training.synthetic.synthesize` writes an example")
    suffix = files[0].suffix

    def opened() -> Iterator[ds.Dataset]:
        inferred = ds.dataset(files, format=formats[suffix]).schema
        yield ds.dataset(files, schema=_schema(inferred, suffix), format=formats[suffix])

    return next(translate_errors(file, opened()))


def shards_of(folder: Path) -> list[Path]:
    """Return the Parquet files below a folder, without hidden ones (`._0.parquet`, `_temporary/0.parquet`)."""
    files = (file for file in folder.glob("**/*.parquet") if file.is_file())
    return sorted(file for file in files if not any(part[0] in "._" for part in file.relative_to(folder).parts))


def pieces_of(dataset: ds.Dataset) -> Iterator[Piece]:
    """Yield the row groups or files of a dataset in order."""
    first = 0
    for file in dataset.get_fragments():
        fragments = file.split_by_row_group() if isinstance(file, ds.ParquetFileFragment) else [file]
        for each in fragments:
            rows = each.row_groups[0].num_rows if isinstance(each, ds.ParquetFileFragment) else each.count_rows()
            yield Piece(each, Path(file.path).name, first, rows)
            first += rows


def translate_errors(file: Path, items: Iterable[Any]) -> Iterator[Any]:
    """Yield the items; raise errors of Arrow as `ManifestError` without the content that Arrow quotes."""
    reason = ""
    try:
        yield from items
    except (pa.ArrowException, OSError) as exc:
        reason = _without_content(file, exc)
    # Raised here, the error has no context: a traceback would print Arrow's message.
    if reason:
        raise ManifestError(f"{file}: cannot be read: {reason}")


def label_text(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with labels as text: numbers without decimals, so that 0 and 0.0 are the same."""
    index = batch.schema.get_field_index("gender")
    return batch.set_column(index, "gender", batch.column(index).cast(pa.string()))


def _without_content(file: Path, exc: Exception) -> str:
    """Describe an error by its shard and by the parts of its message that hold no content."""
    message = str(exc)
    shards = [shard.name for shard in shards_of(file) if str(shard) in message]
    system = [os.strerror(exc.errno)] if isinstance(exc, OSError) and exc.errno else []
    parts = system + _WITHOUT_CONTENT.findall(message)
    return ", ".join(dict.fromkeys(shards + (parts or [type(exc).__name__])))


def _schema(inferred: pa.Schema, suffix: str) -> pa.Schema:
    """Correct the types that Arrow infers from the first rows of CSV and JSONL."""

    def corrected(field: pa.Field) -> pa.DataType:
        is_text_file = suffix != ".parquet"
        if field.name == "gender" and suffix == ".jsonl" and any(is_type(field.type) for is_type in _JSON_LABELS):
            return field.type
        if field.name == "avatar" and (pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type)):
            return pa.binary()
        if field.name in _TEXT or (is_text_file and pa.types.is_null(field.type)):
            return pa.string()
        if field.name in ("weight", "p_female") and suffix == ".csv":
            return pa.string()  # A word among the numbers is a bad row, not a damaged file.
        return pa.float64() if is_text_file and pa.types.is_integer(field.type) else field.type

    return pa.schema([field.with_type(corrected(field)).with_nullable(True) for field in inferred])
