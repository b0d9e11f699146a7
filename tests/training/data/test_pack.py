"""Packing keeps rows and pictures, and names what it cannot pack."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from training.data.batches import prepare_users
from training.data.manifest import ManifestError, read_manifest, write_manifest
from training.data.pack import pack
from training.synthetic.avatars import AvatarPool
from training.synthetic.nicknames import builtin_names
from training.synthetic.users import write_users


def test_packed_users_are_the_same(tmp_path: Path) -> None:
    manifest = write_users(40, AvatarPool(), builtin_names(), tmp_path / "data", seed=3)
    before, after = read_manifest(manifest), read_manifest(pack(manifest, tmp_path / "packed.parquet", 64))
    pd.testing.assert_frame_equal(
        after.drop(columns="avatar"), before.drop(columns="avatar"), check_dtype=False, check_column_type=False
    )
    users, packed = prepare_users(before, 64), prepare_users(after, 64)
    np.testing.assert_array_equal(packed.present, users.present)
    np.testing.assert_array_equal(packed.tokens, users.tokens)
    assert np.abs(packed.images.astype(float) - users.images).mean() < 4
    sizes = {Image.open(BytesIO(avatar)).size for avatar in after["avatar"] if avatar}
    assert sizes == {(64, 64)}


def test_broken_avatar_is_named_by_row(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    rows: list[dict[str, object]] = [
        {"nickname": "a", "avatar": "", "gender": "male", "split": "train"},
        {"nickname": "b", "avatar": "broken.jpg", "gender": "female", "split": "train"},
    ]
    with pytest.raises(ManifestError, match=r"row 1: .*not an image"):
        pack(write_manifest(rows, tmp_path / "manifest.csv"), tmp_path / "packed.parquet", 64)
