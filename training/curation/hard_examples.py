"""Online hard example mining: train on the largest losses (Shrivastava et al., 2016, https://arxiv.org/abs/1604.03540)."""

from keras import ops

from ..arrays import TensorB, TensorK


def hardest(losses: TensorB, count: int) -> TensorK:
    """Return the rows of the `count` largest losses of a batch, largest first.

    The largest one in a hundred, rounded up, is left out: there, wrong labels concentrate.

    Args:
        losses: `[B]`.
        count: K, the number of rows.

    Raises:
        ValueError: The batch has too few rows.
    """
    size = int(losses.shape[0])
    left_out = -(-size // 100)
    if not 1 <= count <= size - left_out:
        raise ValueError(f"expected a count between 1 and {size - left_out} for a batch of {size}, got {count}")
    _, rows = ops.top_k(losses, count + left_out)
    return rows[left_out:]
