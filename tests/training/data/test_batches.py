"""Batches: what augmentation may do, and that it is the same again."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from genderprep.tensors import IMAGE, IMAGE_SIZE, MAX_TOKENS, PRESENT, TOKENS
from tests.support.pictures import encode
from training.data.augmentation import Augmentation, augment, augment_images, drop_tokens
from training.data.bad_rows import BadRows
from training.data.batches import Preparation, Users, prepare_users
from training.data.manifest import ManifestError
from training.synthetic.drawing import draw_default_avatar, draw_portrait

PAD, UNK = 0, 1
HEADS = {"gender": None, "avatar_only": 0, "nickname_only": 1}


def some_users(count: int) -> Users:
    dice = np.random.default_rng(0)
    return Users(
        images=dice.integers(0, 256, (count, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8),
        tokens=np.where(np.arange(MAX_TOKENS) < 6, dice.integers(20, 99, (count, MAX_TOKENS)), PAD).astype(np.int32),
        present=np.arange(count)[:, None] % [[2, 3]] != 0,
        female=(np.arange(count) % 2).astype(np.float32)[:, None],
        weights=np.linspace(1, 2, count, dtype=np.float32),
    )


def seen(users: Users, *names: str) -> dict[str, NDArray[Any]]:
    return augment(users, names, Augmentation(), np.random.default_rng(1))


def test_shapes_and_types_are_those_of_the_contract() -> None:
    found = seen(some_users(8), IMAGE, TOKENS, PRESENT)
    assert {name: (array.shape, array.dtype.name) for name, array in found.items()} == {
        IMAGE: ((8, IMAGE_SIZE, IMAGE_SIZE, 3), "uint8"),
        TOKENS: ((8, MAX_TOKENS), "int32"),
        PRESENT: ((8, 2), "bool"),
    }


def test_a_tower_learns_nothing_from_users_without_its_modality() -> None:
    users = some_users(8)
    targets, weights = users.targets(HEADS, {})
    assert {name: array.shape for name, array in targets.items()} == dict.fromkeys(HEADS, (8, 1))
    np.testing.assert_array_equal(weights["gender"], users.weights)
    np.testing.assert_array_equal(weights["avatar_only"], users.weights * users.present[:, 0])
    np.testing.assert_array_equal(weights["nickname_only"], users.weights * users.present[:, 1])


def test_modalities_are_taken_away_and_never_added() -> None:
    users = some_users(2000)
    found = seen(users, PRESENT)[PRESENT]
    assert not (found & ~users.present).any()
    assert found.sum() / users.present.sum() == pytest.approx(0.85, abs=0.03)


def test_dropped_tokens_become_unknown_and_padding_stays() -> None:
    tokens = some_users(500).tokens
    np.testing.assert_array_equal(drop_tokens(tokens, 0.0, np.random.default_rng(1)), tokens)
    np.testing.assert_array_equal(drop_tokens(tokens, 1.0, np.random.default_rng(1)), np.where(tokens == PAD, PAD, UNK))
    some = drop_tokens(tokens, 0.3, np.random.default_rng(1))
    assert some.dtype == np.int32
    assert set(np.unique(some[some != tokens])) == {UNK}
    assert (some == UNK).sum() / (tokens != PAD).sum() == pytest.approx(0.3, abs=0.03)


def in_ways(images: NDArray[np.uint8], **how: Any) -> NDArray[np.uint8]:
    """Images augmented in the ways that are named, and no other."""
    nothing: dict[str, Any] = {"flip": 0, "shift_pixels": 0, "colour": 0}
    return augment_images(images, Augmentation(**nothing | how), np.random.default_rng(2))


def test_augmentation_of_images() -> None:
    images = some_users(4).images
    np.testing.assert_array_equal(in_ways(images), images)
    np.testing.assert_array_equal(in_ways(images, flip=1), images[:, :, ::-1])
    everything = augment_images(images, Augmentation(), np.random.default_rng(2))
    assert (everything.shape, everything.dtype) == (images.shape, images.dtype)
    assert (everything != images).mean() > 0.5


def test_shifts_move_at_most_that_far() -> None:
    images = np.zeros((20, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    images[:, 64, 64] = 255
    _, rows, columns, _ = np.nonzero(in_ways(images, shift_pixels=5))
    assert len(rows) == 20 * 3
    assert np.abs(rows - 64).max() <= 5
    assert np.abs(columns - 64).max() <= 5
    assert len(set(zip(rows, columns, strict=True))) > 5


def test_recolouring_stays_within_its_range() -> None:
    images = np.full((50, IMAGE_SIZE, IMAGE_SIZE, 3), 100, np.uint8)
    found = in_ways(images, colour=0.2)
    assert 79 <= found.min() < 85
    assert 115 < found.max() <= 120
    assert in_ways(np.full_like(images, 255), colour=0.2).max() == 255


def test_zoom_enlarges_what_it_shows() -> None:
    images = np.zeros((30, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    images[:, 44:84, 44:84] = 255
    shares = (in_ways(images, zoom=0.35) / 255).mean(axis=(1, 2, 3)) / (images[0] / 255).mean()
    assert 0.99 < shares.min() < 1.3
    assert 1.8 < shares.max() < 1 / 0.65**2 + 0.01


def test_blur_meets_its_share_of_the_pictures() -> None:
    images = np.random.default_rng(1).integers(0, 256, (200, 32, 32, 3), np.uint8)
    spread = in_ways(images, blur=0.3).std(axis=(1, 2, 3)) / images.std(axis=(1, 2, 3))
    assert (spread < 0.9).mean() == pytest.approx(0.3, abs=0.1)
    np.testing.assert_array_equal(in_ways(images, blur=0.0), images)


def test_saturation_goes_from_grey_to_gaudy_and_keeps_the_brightness() -> None:
    images = np.tile(np.array([120, 100, 80], np.uint8), (100, 8, 8, 1))
    found = in_ways(images, saturation=1.0).astype(float)
    contrast = np.ptp(found, axis=-1)[:, 0, 0]
    assert contrast.min() < 4
    assert 72 < contrast.max() <= 80
    assert np.abs(found.mean(axis=-1) - 100).max() <= 1


def table(**columns: list[Any]) -> pd.DataFrame:
    rows = len(next(iter(columns.values())))
    defaults = {"nickname": [""] * rows, "avatar": [""] * rows, "gender": ["male"] * rows, "weight": [1.0] * rows}
    return pd.DataFrame(defaults | columns)


def test_users_are_prepared(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encode(draw_portrait("female", 1), "JPEG"))
    (tmp_path / "default.png").write_bytes(encode(draw_default_avatar(), "PNG"))
    users = prepare_users(
        table(
            nickname=["小宝", "微信用户", ""],
            avatar=[str(tmp_path / "a.jpg"), str(tmp_path / "default.png"), ""],
            gender=["female", "male", "female"],
            weight=[1.0, 2.0, 0.5],
        )
    )
    assert len(users) == 3
    assert users.present.tolist() == [[True, True], [False, False], [False, False]]
    assert users.female.tolist() == [[1.0], [0.0], [1.0]]
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
def test_a_row_that_cannot_be_prepared_is_named(
    tmp_path: Path, content: bytes | None, nickname: str, message: str
) -> None:
    if content is not None:
        (tmp_path / "bad.jpg").write_bytes(content)
    with pytest.raises(ManifestError, match=message):
        prepare_users(table(nickname=["小宝", nickname], avatar=["", str(tmp_path / "bad.jpg")]))


def test_a_bad_row_is_left_without_anything(tmp_path: Path) -> None:
    bad = BadRows(tmp_path, 2, 0.5, str)
    prepare = Preparation(bad, cache=True)
    rows = table(nickname=["小宝", "小宝"], avatar=["", b"not a picture"], weight=[2.0, 3.0])
    for _ in range(2):
        users, usable = prepare(rows)
        assert usable.tolist() == [True, False]
        assert users.weights.tolist() == [2.0, 0.0]
        assert users.present.tolist() == [[False, True], [False, False]]
    assert bad.report()["reasons"]["broken avatar"]["rows"] == 1
    assert "小宝" not in str(bad.report())


def test_pictures_come_from_files_and_bytes_alike(tmp_path: Path) -> None:
    picture = encode(draw_portrait("female", 1), "JPEG")
    (tmp_path / "a.jpg").write_bytes(picture)
    users = prepare_users(table(avatar=[str(tmp_path / "a.jpg"), picture]))
    assert users.present[:, 0].all() and users.images[0].any()
    np.testing.assert_array_equal(*users.images)


def test_without_a_size_nobody_has_an_avatar() -> None:
    users, usable = Preparation(BadRows(Path("manifest"), 1, 0, str), size=None)(table(avatar=["nowhere.jpg"]))
    assert usable.all() and not users.present.any()
    assert users.images.size == 0
