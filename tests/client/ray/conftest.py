"""A table of users as a folder of Parquet files, shared by the tests."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.pictures import encode, noise

FILE_ROWS = 240


@pytest.fixture(scope="session")
def users(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three files: two with avatar bytes, one with avatar paths. The first and the last user of each are invalid."""
    folder = tmp_path_factory.mktemp("users")
    pictures = [encode(noise(64, seed), "JPEG") for seed in range(20)]
    (folder / "pictures").mkdir()
    for number, picture in enumerate(pictures):
        (folder / "pictures" / f"{number}.jpg").write_bytes(picture)
    for name in ("a", "b"):
        _write(folder / f"{name}.parquet", [b"no picture", *(pictures * FILE_ROWS)[: FILE_ROWS - 1]])
    paths = [f"pictures/{number}.jpg" for number in range(len(pictures))]
    _write(folder / "c" / "c.parquet", ["pictures/gone.jpg", *(paths * FILE_ROWS)[: FILE_ROWS - 1]])
    return folder


def _write(file: Path, avatars: list[Any]) -> None:
    """One row per avatar; two of three users have none, and the last nickname is too long."""
    file.parent.mkdir(exist_ok=True)
    rows = [
        {
            "avatar": avatar if number % 3 == 0 else None,
            "nickname": f"小美{file.stem}{number}",
            "uid": f"{file.stem}{number}",
        }
        for number, avatar in enumerate(avatars)
    ]
    rows[-1]["nickname"] = "长" * 5000
    pq.write_table(pa.Table.from_pylist(rows), file, row_group_size=100)
