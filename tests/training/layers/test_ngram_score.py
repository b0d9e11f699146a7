import math
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from training.layers import NgramScore

BUCKETS = 2**18


def tokens(*rows: list[int], length: int = 6) -> NDArray[np.int32]:
    return np.array([row + [0] * (length - len(row)) for row in rows], np.int32)


def layer_with_weights(buckets: int = BUCKETS) -> NgramScore:
    layer = NgramScore(buckets)
    layer.build((None, None))
    layer.set_weights([np.random.default_rng(0).normal(size=2 * buckets)])
    return layer


def slow_score(row: list[int], table: NDArray[np.float32]) -> float:
    total, buckets, marked = 0.0, len(table) // 2, [0, *row, 0, 0, 0]
    for index, token in enumerate(row, start=1):
        bucket = token * 7919 % buckets
        total += table[bucket]
        for length, neighbor in ((2, index - 1), (3, index + 1), (4, index + 2), (5, index + 3)):
            bucket = (bucket + marked[neighbor]) * 7919 % buckets
            total += table[bucket + (buckets if length > 3 else 0)]
    return total / math.sqrt(len(row))


@pytest.mark.parametrize("row", [[7], [7, 8], [8999, 8999, 8999], [1, 2, 3, 4, 5, 8999]])
def test_score_equals_slow_version_whatever_the_padding(row: list[int]) -> None:
    layer = layer_with_weights()
    (table,) = layer.get_weights()
    for length in (len(row), 9):
        score = np.asarray(layer(tokens(row, length=length)))
        np.testing.assert_allclose(score, [[slow_score(row, table)]], rtol=1e-5)


def test_hash_does_not_overflow_int32() -> None:
    layer, ids = layer_with_weights(), np.random.default_rng(1).integers(1, 9000, (2000, 3), np.int32)
    (table,) = layer.get_weights()
    np.testing.assert_allclose(
        np.asarray(layer(ids))[:, 0], [slow_score(row, table) for row in ids.tolist()], atol=1e-5
    )


def test_score_depends_on_order() -> None:
    first, reverse = np.asarray(layer_with_weights()(tokens([7, 8], [8, 7])))
    assert abs(first - reverse) > 0.1


def test_new_layer_scores_nothing() -> None:
    assert np.asarray(NgramScore()(tokens([7, 8, 9]))).tolist() == [[0.0]]


def test_layer_survives_saving(tmp_path: Path) -> None:
    ids = keras.Input((None,), dtype="int32")
    model = keras.Model(ids, layer_with_weights(64)(ids))
    model.save(tmp_path / "model.keras")
    rows = tokens([7, 8], [9])
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(rows), model(rows))


def test_too_many_buckets_are_rejected() -> None:
    with pytest.raises(ValueError, match="expected 1 to 262144 buckets, got 262145"):
        NgramScore(2**18 + 1)
