from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from training.layers import HashedNgrams

VOCABULARY = 100
START, END = VOCABULARY, VOCABULARY + 1


def tokens(*rows: list[int], length: int = 6) -> NDArray[np.int32]:
    return np.array([row + [0] * (length - len(row)) for row in rows], np.int32)


def slow_ids(row: list[int], max_n: int, buckets: int) -> list[int]:
    marked = [START, *row, END]
    spans = [(i, i + n) for n in range(1, max_n + 1) for i in range(len(marked) - n + 1)]
    ids = []
    for ngram in (marked[i:j] for i, j in spans):
        if ngram not in ([START], [END]):
            state = len(ngram)
            for token in ngram:
                state = (state * 7919 + token) % buckets
            ids.append(1 + state)
    return sorted(ids)


@pytest.mark.parametrize("max_n", [1, 2, 3, 8])
@pytest.mark.parametrize("row", [[7], [7, 8], [9, 9, 9], [1, 2, 3, 4, 5, 6]])
def test_ids_equal_slow_version(row: list[int], max_n: int) -> None:
    layer = HashedNgrams(VOCABULARY, 2**18, max_n)
    (ids,) = np.asarray(layer(tokens(row)))
    assert sorted(ids[ids > 0].tolist()) == slow_ids(row, max_n, 2**18)
    assert layer.compute_output_shape((None, 6)) == (None, len(ids))


def test_ids_depend_on_order_and_ends() -> None:
    first, reverse, longer = np.asarray(HashedNgrams(VOCABULARY, 2**18)(tokens([7, 8], [8, 7], [7, 8, 9])))
    assert set(first[first > 0]) & set(reverse[reverse > 0]) == set(first[:6][first[:6] > 0])
    assert not set(first[first > 0]) <= set(longer)


def test_ids_stay_within_buckets() -> None:
    ids = np.asarray(HashedNgrams(VOCABULARY, 16)(tokens(*np.random.default_rng(0).integers(1, 100, (50, 6)).tolist())))
    assert set(ids.ravel()) == set(range(17))


def test_layer_survives_saving(tmp_path: Path) -> None:
    ids = keras.Input((6,), dtype="int32")
    model = keras.Model(ids, HashedNgrams(VOCABULARY, 64, max_n=2)(ids))
    model.save(tmp_path / "model.keras")
    rows = tokens([7, 8], [9])
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(rows), model(rows))


def test_too_many_buckets_are_rejected() -> None:
    with pytest.raises(ValueError, match="expected 1 to 262144 buckets, got 262145"):
        HashedNgrams(VOCABULARY, 2**18 + 1)
