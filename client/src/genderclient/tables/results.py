"""The columns of the output."""

from collections.abc import Iterable
from typing import Final

import pyarrow as pa

from genderclient.tables.errors import TableError

_KEY: Final = {"row": pa.int64(), "id": pa.string()}
_NUMBERS: Final = ("probability", "male", "female", "weight_avatar", "weight_nickname")
RESULT_SCHEMA: Final = pa.schema(
    {
        **(_KEY | {"gender": pa.string()}),
        **dict.fromkeys(_NUMBERS, pa.float32()),
        **dict.fromkeys(("model", "version"), pa.string()),
    }
)
FAILURE_SCHEMA: Final = pa.schema(_KEY | {"error": pa.string(), "reason": pa.string()})


def kept_names(columns: Iterable[str]) -> dict[str, str]:
    """The name in the output of each further column of the table: `input_gender` if `gender` is taken."""
    names = {column: f"input_{column}" if column in RESULT_SCHEMA.names else column for column in columns}
    if len({*names.values()}) < len(names):
        raise TableError("two columns of the table have the same name in the output; rename one, for example input_id")
    return names
