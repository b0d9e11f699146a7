"""The article's mask loss: late in a run, users whom the model cannot tell stop teaching it.

On its own a mask can collapse: with every probability inside the band there is no loss and no gradient, and
the model stays there. Hence the late start, and `min_coverage` below which a batch is not masked.
"""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("gender")
class MaskedCrossentropy(keras.losses.BinaryCrossentropy):
    """Binary cross entropy over the users whose probability lies outside the band [`low`, `high`].

    With keep = `outside_band(p)` and coverage = the kept share of the weights, the loss is
    mean(weight * keep * L) / coverage: without weights, the mean over the kept users. Users of weight 0 do not
    count towards the coverage. Where it is below `min_coverage` (strictly), the whole batch is kept. Label
    smoothing changes L and not the mask.

    It is plain cross entropy until `active` is set, which a compiled step reads once, when it is traced:
    `LateMask` sets it and has the step traced again.

    Raises:
        ValueError: not 0 <= low <= high <= 1, or `min_coverage` not in [0, 1].
    """

    def __init__(
        self,
        low: float = 0.4,
        high: float = 0.6,
        min_coverage: float = 0.3,
        label_smoothing: float = 0.0,
        name: str = "masked_crossentropy",
    ) -> None:
        super().__init__(from_logits=True, label_smoothing=label_smoothing, name=name)
        if not 0 <= low <= high <= 1:
            raise ValueError(f"a band lies within 0 <= low <= high <= 1, got low={low}, high={high}")
        if not 0 <= min_coverage <= 1:
            raise ValueError(f"min_coverage is a share between 0 and 1, got {min_coverage}")
        self.low, self.high, self.min_coverage, self.active = low, high, min_coverage, False

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Labels, logits and weights, each float [B] or [B, 1], to a scalar."""
        labels, logits = _column(y_true), _column(y_pred)
        weights = ops.ones_like(logits) if sample_weight is None else _column(sample_weight)
        return super().__call__(labels, logits, self.masked(weights, logits) if self.active else weights)

    def masked(self, weights: Any, logits: Any) -> Any:
        """The weights, float [B, 1], that weigh the kept users only and are rescaled by the coverage."""
        keep = ops.cast(outside_band(ops.sigmoid(ops.stop_gradient(logits)), self.low, self.high), weights.dtype)
        coverage = ops.divide_no_nan(ops.sum(keep * weights), ops.sum(weights))
        return weights * ops.where(coverage < self.min_coverage, 1.0, ops.divide_no_nan(keep, coverage))

    def get_config(self) -> dict[str, Any]:
        own = {"low": self.low, "high": self.high, "min_coverage": self.min_coverage}
        return {**own, "label_smoothing": self.label_smoothing, "name": self.name}


class LateMask(keras.callbacks.Callback):
    """Activate a mask loss from `first_epoch` (counted from 0) on.

    The epoch alone decides, so that a resumed run goes on as it would have. Validation is never masked: its
    loss chooses the best epoch, and has to mean the same before and after.
    """

    def __init__(self, loss: MaskedCrossentropy, first_epoch: int) -> None:
        super().__init__()
        self.loss, self.first_epoch = loss, first_epoch
        self._traced: bool | None = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.loss.active = epoch >= self.first_epoch
        if self.loss.active is not self._traced:
            self._traced = self.loss.active
            self.model.make_train_function(force=True)

    def on_test_begin(self, logs: Any = None) -> None:
        self.loss.active = False


@keras.saving.register_keras_serializable("gender")
def coverage(labels: Any, logits: Any, low: float, high: float) -> Any:
    """1 for each user outside the band, else 0: float [B, 1], for the metric that shows the coverage."""
    return ops.cast(outside_band(ops.sigmoid(logits), low, high), "float32")


def outside_band(probabilities: Any, low: float, high: float) -> Any:
    """Where a probability is below `low` or above `high`, strictly: both ends belong to the band."""
    return ops.logical_or(probabilities < low, probabilities > high)


def _column(values: Any) -> Any:
    """[B] or [B, 1] to float [B, 1]; of two shapes, a product would broadcast to [B, B]."""
    return ops.reshape(ops.convert_to_tensor(values, dtype="float32"), (-1, 1))
