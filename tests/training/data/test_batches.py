"""Manifest rows become arrays, and bad rows are reported."""

import traceback
from pathlib import Path

import numpy as np
import pytest

from genderprep.tensors import IMAGE, TOKENS
from tests.support.pictures import encode
from tests.support.training.users import random_users, user_table
from training.data.bad_rows import BadRows
from training.data.batches import Heads, Preparation, prepare_users
from training.data.manifest import ManifestError
from training.synthetic.drawing import draw_default_avatar, draw_portrait

HEADS: Heads = {"gender": None, "avatar_only": 0, "nickname_only": 1}
JPEG = encode(draw_portrait("female", 1), "JPEG")


def test_tower_has_no_weight_for_users_without_its_modality() -> None:
    users = random_users(8, size=1)
    targets, weights = users.targets(HEADS, {})
    assert {name: array.shape for name, array in targets.items()} == dict.fromkeys(HEADS, (8, 1))
    np.testing.assert_array_equal(targets["gender"], users.p_female)
    np.testing.assert_array_equal(weights["gender"], users.weights)
    np.testing.assert_array_equal(weights["avatar_only"], users.weights * users.present[:, 0])
    np.testing.assert_array_equal(weights["nickname_only"], users.weights * users.present[:, 1])


def test_rows_become_users(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(JPEG)
    (tmp_path / "default.png").write_bytes(encode(draw_default_avatar(), "PNG"))
    users = prepare_users(
        user_table(
            nickname=["小宝", "微信用户", ""],
            avatar=[str(tmp_path / "a.jpg"), str(tmp_path / "default.png"), ""],
            gender=["female", "male", "female"],
            weight=[1.0, 2.0, 0.5],
            p_female=[0.75, 0.0, 1.0],
        )
    )
    assert len(users) == 3
    assert users.present.tolist() == [[True, True], [False, False], [False, False]]
    assert users.female.tolist() == [[1.0], [0.0], [1.0]]
    assert users.p_female.tolist() == [[0.75], [0.0], [1.0]]
    assert users.weights.tolist() == [1.0, 2.0, 0.5]
    assert [array.dtype.name for array in users.inputs((IMAGE, TOKENS)).values()] == ["uint8", "int32"]


@pytest.mark.parametrize(
    ("content", "nickname", "message"),
    [
        (b"hello", "", "row 1: AVATAR: not an image"),
        (None, "", r"unreadable avatar \(row 1: No such file"),
        (b"", "a" * 5000, "row 1: NICKNAME: 5000 bytes"),
    ],
)
def test_error_names_the_row(tmp_path: Path, content: bytes | None, nickname: str, message: str) -> None:
    if content is not None:
        (tmp_path / "bad.jpg").write_bytes(content)
    with pytest.raises(ManifestError, match=message):
        prepare_users(user_table(nickname=["小宝", nickname], avatar=["", str(tmp_path / "bad.jpg")]))


@pytest.mark.parametrize("avatar", ["/nowhere/婷婷.jpg", "/nowhere/婷婷\0.jpg", "婷婷" * 200, b"\xe5\xa9\xb7"])
def test_error_and_its_traceback_hold_no_content(avatar: str | bytes) -> None:
    table = user_table(nickname=["婷婷"], avatar=[avatar])
    with pytest.raises(ManifestError) as error:
        prepare_users(table)
    assert "婷" not in "".join(traceback.format_exception(error.value))
    assert error.value.__cause__ is error.value.__context__ is None


def test_bad_row_keeps_its_place_without_inputs_and_weight(tmp_path: Path) -> None:
    bad_rows = BadRows(tmp_path, 2, 0.5, str)
    prepare = Preparation(bad_rows, cache=True)
    rows = user_table(nickname=["小宝", "小宝"], avatar=["", b"not an image"], weight=[2.0, 3.0])
    for _ in range(2):
        users, usable = prepare(rows)
        assert usable.tolist() == [True, False]
        assert users.weights.tolist() == [2.0, 0.0]
        assert users.present.tolist() == [[False, True], [False, False]]
    assert bad_rows.report()["reasons"]["broken avatar"]["rows"] == 1
    assert "小宝" not in str(bad_rows.report())


def test_avatars_come_from_files_and_bytes_alike(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(JPEG)
    users = prepare_users(user_table(avatar=[str(tmp_path / "a.jpg"), JPEG]))
    assert users.present[:, 0].all() and users.images[0].any()
    np.testing.assert_array_equal(*users.images)


def test_no_size_skips_all_avatars() -> None:
    users, usable = Preparation(BadRows(Path("manifest"), 1, 0, str), size=None)(user_table(avatar=["nowhere.jpg"]))
    assert usable.all() and not users.present.any()
    assert users.images.size == 0
