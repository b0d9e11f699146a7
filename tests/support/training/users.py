"""Users and manifests for tests of training."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genderprep.tensors import IMAGE_SIZE, MAX_TOKENS
from training.data.batches import Users


def random_users(count: int, size: int = IMAGE_SIZE) -> Users:
    """Users with random images, six tokens each, and every combination of modalities."""
    rng = np.random.default_rng(0)
    return Users(
        images=rng.integers(0, 256, (count, size, size, 3), np.uint8),
        tokens=np.where(np.arange(MAX_TOKENS) < 6, rng.integers(20, 99, (count, MAX_TOKENS)), 0).astype(np.int32),
        present=np.arange(count)[:, None] % [[2, 3]] != 0,
        female=(np.arange(count) % 2).astype(np.float32)[:, None],
        p_female=np.linspace(0, 1, count, dtype=np.float32)[:, None],
        weights=np.linspace(1, 2, count, dtype=np.float32),
    )


def user_table(**columns: list[Any]) -> pd.DataFrame:
    """Manifest rows: men without nickname and avatar, except for the given columns."""
    rows = len(next(iter(columns.values())))
    defaults = {"nickname": [""] * rows, "avatar": [""] * rows, "gender": ["male"] * rows, "weight": [1.0] * rows}
    table = pd.DataFrame(defaults | columns)
    return table if "p_female" in table else table.assign(p_female=(table["gender"] == "female").astype(float))


def write_shards(folder: Path, table: pd.DataFrame, shards: int, row_group_size: int | None = None) -> Path:
    """Write a table as Parquet shards of equal size; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, rows in enumerate(np.array_split(np.arange(len(table)), shards)):
        table.iloc[rows].to_parquet(folder / f"part-{index}.parquet", row_group_size=row_group_size)
    return folder
