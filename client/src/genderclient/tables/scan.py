"""What is known of a table before it is scored."""

from collections.abc import Iterable
from dataclasses import dataclass

from genderclient.tables.columns import Row


@dataclass(frozen=True, slots=True)
class Scan:
    """The columns, in order, and the number of rows."""

    columns: tuple[str, ...]
    count: int

    @classmethod
    def of(cls, rows: Iterable[Row]) -> "Scan":
        columns: dict[str, None] = {}
        count = 0
        for row in rows:
            columns |= dict.fromkeys(row)
            count += 1
        return cls(tuple(columns), count)
