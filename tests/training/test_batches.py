"""Batches: what augmentation may do, and that it is the same again."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from genderprep.contract import IMAGE, IMAGE_SIZE, MAX_TOKENS, PRESENT, TOKENS
from tests.pictures import encode
from training.config import Augmentation
from training.data.batches import Batches, Users, augment_images, drop_tokens, prepare_users
from training.data.drawing import draw_default_avatar, draw_portrait
from training.data.manifest import ManifestError

PAD, UNK = 0, 1
HEADS = {"gender": None, "avatar_only": 0, "nickname_only": 1}


def some_users(count: int = 20) -> Users:
    dice = np.random.default_rng(0)
    return Users(
        images=dice.integers(0, 256, (count, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8),
        tokens=np.where(np.arange(MAX_TOKENS) < 6, dice.integers(20, 99, (count, MAX_TOKENS)), PAD).astype(np.int32),
        present=np.arange(count)[:, None] % [[2, 3]] != 0,
        female=(np.arange(count) % 2).astype(np.float32)[:, None],
        weights=np.linspace(1, 2, count, dtype=np.float32),
    )


def batches(seed: int = 1, **changes: Any) -> Batches:
    defaults: dict[str, Any] = {"users": some_users(), "inputs": (IMAGE, TOKENS, PRESENT), "heads": HEADS, "batch": 8}
    return Batches(**defaults | changes, seed=seed)


def assert_same(first: Any, second: Any) -> None:
    for left, right in zip(first, second, strict=True):
        assert left.keys() == right.keys()
        for name in left:
            np.testing.assert_array_equal(left[name], right[name])


def test_shapes_and_types_are_those_of_the_contract() -> None:
    inputs, targets, weights = batches()[0]
    found = {name: (array.shape, array.dtype.name) for name, array in inputs.items()}
    assert found == {
        IMAGE: ((8, IMAGE_SIZE, IMAGE_SIZE, 3), "uint8"),
        TOKENS: ((8, MAX_TOKENS), "int32"),
        PRESENT: ((8, 2), "bool"),
    }
    assert {name: array.shape for name, array in targets.items()} == dict.fromkeys(HEADS, (8, 1))
    assert {name: array.shape for name, array in weights.items()} == dict.fromkeys(HEADS, (8,))


def test_only_the_inputs_of_the_model_are_prepared() -> None:
    inputs, targets, _ = batches(inputs=(TOKENS,), heads={"nickname_only": 1})[0]
    assert (list(inputs), list(targets)) == ([TOKENS], ["nickname_only"])


def test_same_seed_and_epoch_same_batches() -> None:
    first, second = batches(), batches()
    for _ in range(2):
        assert_same(first[1], second[1])
        first.begin(1)
        second.begin(1)


@pytest.mark.parametrize("name", [IMAGE, TOKENS, PRESENT])
def test_seed_epoch_and_index_change_batches(name: str) -> None:
    next_epoch = batches()
    next_epoch.begin(1)
    reference = batches()[0][0][name]
    for other in (batches(seed=2)[0], next_epoch[0], batches()[1]):
        assert (other[0][name] != reference).any()


def test_an_epoch_shows_every_user_once() -> None:
    whole = batches(users=some_users(24))
    assert len(whole) == 3
    seen = np.concatenate([whole[index][2]["gender"] for index in range(3)])
    np.testing.assert_array_equal(np.sort(seen), some_users(24).weights)


def test_a_rest_that_fills_no_batch_waits_for_another_epoch() -> None:
    assert len(batches()) == 2


def test_a_tower_learns_nothing_from_users_without_its_modality() -> None:
    users = some_users(8)
    one = batches(users=users)
    _, _, weights = one[0]
    order = one.order
    np.testing.assert_array_equal(weights["gender"], users.weights[order])
    np.testing.assert_array_equal(weights["avatar_only"], (users.weights * users.present[:, 0])[order])
    np.testing.assert_array_equal(weights["nickname_only"], (users.weights * users.present[:, 1])[order])


def test_modalities_are_taken_away_and_never_added() -> None:
    many = batches(users=some_users(2000), batch=2000, inputs=(PRESENT,))
    inputs, _, _ = many[0]
    before = some_users(2000).present[many.order]
    assert not (inputs[PRESENT] & ~before).any()
    assert inputs[PRESENT].sum() / before.sum() == pytest.approx(0.85, abs=0.03)


def test_dropped_tokens_become_unknown_and_padding_stays() -> None:
    tokens = some_users(500).tokens
    np.testing.assert_array_equal(drop_tokens(tokens, 0.0, np.random.default_rng(1)), tokens)
    np.testing.assert_array_equal(drop_tokens(tokens, 1.0, np.random.default_rng(1)), np.where(tokens == PAD, PAD, UNK))
    some = drop_tokens(tokens, 0.3, np.random.default_rng(1))
    assert some.dtype == np.int32
    assert set(np.unique(some[some != tokens])) == {UNK}
    assert (some == UNK).sum() / (tokens != PAD).sum() == pytest.approx(0.3, abs=0.03)


def augmented(images: NDArray[np.uint8], **how: Any) -> NDArray[np.uint8]:
    """Images augmented in the ways that are named, and no other."""
    nothing: dict[str, Any] = {"flip": 0, "shift_pixels": 0, "colour": 0}
    return augment_images(images, Augmentation(**nothing | how), np.random.default_rng(2))


def test_augmentation_of_images() -> None:
    images = some_users(4).images
    np.testing.assert_array_equal(augmented(images), images)
    np.testing.assert_array_equal(augmented(images, flip=1), images[:, :, ::-1])
    everything = augment_images(images, Augmentation(), np.random.default_rng(2))
    assert (everything.shape, everything.dtype) == (images.shape, images.dtype)
    assert (everything != images).mean() > 0.5


def test_shifts_move_at_most_that_far() -> None:
    images = np.zeros((20, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    images[:, 64, 64] = 255
    _, rows, columns, _ = np.nonzero(augmented(images, shift_pixels=5))
    assert len(rows) == 20 * 3
    assert np.abs(rows - 64).max() <= 5
    assert np.abs(columns - 64).max() <= 5
    assert len(set(zip(rows, columns, strict=True))) > 5


def test_recolouring_stays_within_its_range() -> None:
    images = np.full((50, IMAGE_SIZE, IMAGE_SIZE, 3), 100, np.uint8)
    found = augmented(images, colour=0.2)
    assert 79 <= found.min() < 85
    assert 115 < found.max() <= 120
    assert augmented(np.full_like(images, 255), colour=0.2).max() == 255


def test_zoom_enlarges_what_it_shows() -> None:
    images = np.zeros((30, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    images[:, 44:84, 44:84] = 255
    shares = (augmented(images, zoom=0.35) / 255).mean(axis=(1, 2, 3)) / (images[0] / 255).mean()
    assert 0.99 < shares.min() < 1.3
    assert 1.8 < shares.max() < 1 / 0.65**2 + 0.01


def test_blur_meets_its_share_of_the_pictures() -> None:
    images = np.random.default_rng(1).integers(0, 256, (200, 32, 32, 3), np.uint8)
    spread = augmented(images, blur=0.3).std(axis=(1, 2, 3)) / images.std(axis=(1, 2, 3))
    assert (spread < 0.9).mean() == pytest.approx(0.3, abs=0.1)
    np.testing.assert_array_equal(augmented(images, blur=0.0), images)


def test_saturation_goes_from_grey_to_gaudy_and_keeps_the_brightness() -> None:
    images = np.tile(np.array([120, 100, 80], np.uint8), (100, 8, 8, 1))
    found = augmented(images, saturation=1.0).astype(float)
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
        (b"hello", "", "row 1: .*bad.jpg: AVATAR: not an image"),
        (None, "", "row 1: .*bad.jpg: .*No such file"),
        (b"", "a" * 5000, "row 1: .*NICKNAME: 5000 bytes"),
    ],
)
def test_a_row_that_cannot_be_prepared_is_named(
    tmp_path: Path, content: bytes | None, nickname: str, message: str
) -> None:
    if content is not None:
        (tmp_path / "bad.jpg").write_bytes(content)
    with pytest.raises(ManifestError, match=message):
        prepare_users(table(nickname=["小宝", nickname], avatar=["", str(tmp_path / "bad.jpg")]))
