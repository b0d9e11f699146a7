"""Which rows hard example mining takes."""

import numpy as np
import pytest
from keras import ops

from training.curation.hard_examples import hardest


@pytest.mark.parametrize(("size", "left_out"), [(64, 1), (100, 1), (101, 2), (250, 3)])
def test_largest_losses_without_the_top_hundredth(size: int, left_out: int) -> None:
    losses = np.random.default_rng(0).permutation(size).astype("float32")
    rows = ops.convert_to_numpy(hardest(losses, 16))
    assert losses[rows].tolist() == list(range(size - left_out - 1, size - left_out - 17, -1))


def test_count_must_leave_room() -> None:
    with pytest.raises(ValueError, match="between 1 and 15 for a batch of 16, got 16"):
        hardest(np.zeros(16, "float32"), 16)
