"""Concatenation, the fusion to compare attention with."""

from typing import Any

import keras
import numpy as np
import pytest

from training.layers import ConcatFusion

DICE = np.random.default_rng(0)
AVATARS: Any = DICE.normal(size=(4, 8)).astype(np.float32)
NICKNAMES: Any = DICE.normal(size=(4, 8)).astype(np.float32)
PRESENT = np.array([[True, True], [True, False], [False, True], [False, False]])


@pytest.fixture
def fusion() -> ConcatFusion:
    layer = ConcatFusion()
    layer([AVATARS, NICKNAMES, PRESENT])
    layer.null_avatar.assign(np.full(8, 5.0))
    layer.null_nickname.assign(np.full(8, -3.0))
    return layer


def test_both_are_joined_with_nulls_for_what_is_missing(fusion: ConcatFusion) -> None:
    fused, _ = fusion([AVATARS, NICKNAMES, PRESENT])
    kernel, bias = fusion.join.get_weights()
    avatars = np.where(PRESENT[:, :1], AVATARS, 5)
    nicknames = np.where(PRESENT[:, 1:], NICKNAMES, -3)
    expected = np.maximum(np.concatenate([avatars, nicknames], axis=1) @ kernel + bias, 0)
    np.testing.assert_allclose(fused, expected, atol=1e-5)


def test_weights_are_equal_shares_of_what_is_present(fusion: ConcatFusion) -> None:
    _, weights = fusion([AVATARS, NICKNAMES, PRESENT])
    assert keras.ops.convert_to_numpy(weights).tolist() == [[0.5, 0.5], [1, 0], [0, 1], [0, 0]]


def test_what_is_missing_is_never_read(fusion: ConcatFusion) -> None:
    fused, _ = fusion([np.full_like(AVATARS, np.nan), NICKNAMES, np.tile([False, True], (4, 1))])
    assert np.isfinite(fused).all()


def test_features_of_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="both features need the same known size"):
        ConcatFusion()([AVATARS, NICKNAMES[:, :7], PRESENT])
