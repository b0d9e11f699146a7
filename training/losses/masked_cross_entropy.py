"""Cross-entropy of ranked lists of unequal length."""

from typing import Any, Final

from keras import ops

from ..arrays import TensorBK

# The target of a place that is padding.
PADDING: Final = -1.0


def masked_cross_entropy(liked: TensorBK, logits: TensorBK) -> Any:
    """Return the mean binary cross-entropy in nats over all places that are not padding.

    Args:
        liked: 1 for a like, 0 for none, `PADDING` for no picture, `[B, K]`.
        logits: `[B, K]`.
    """
    shown = ops.cast(liked != PADDING, logits.dtype)
    # log(1 + eˣ) − yx, without overflow.
    losses = ops.maximum(logits, 0.0) + ops.log1p(ops.exp(-ops.abs(logits))) - liked * logits
    return ops.sum(losses * shown) / ops.maximum(ops.sum(shown), 1.0)
