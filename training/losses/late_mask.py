"""The article's mask loss: late in training, examples with ambiguous predictions are masked out.

A mask alone can collapse: if every probability is inside the band, there is no loss and no gradient, and the model
stays there. Two guards prevent it: the mask starts late, and a batch with less coverage than `min_coverage` is not
masked.
"""

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from ..arrays import TensorB1


@dataclass(frozen=True)
class LateMask:
    """Mask examples with P(female) in [`low`, `high`] for the last `share` of the epochs.

    A batch is masked only if at least `min_coverage` of its sample weight lies outside the band.
    """

    low: float = 0.4
    high: float = 0.6
    min_coverage: float = 0.3
    share: float = 0.3

    def build(self, label_smoothing: float) -> "MaskedCrossentropy":
        """Return the loss, not active yet."""
        return MaskedCrossentropy(self.low, self.high, self.min_coverage, label_smoothing)

    def metric(self) -> keras.metrics.Metric:
        """Return the metric `coverage`: the share of the sample weight outside the band."""
        return keras.metrics.MeanMetricWrapper(coverage, name="coverage", low=self.low, high=self.high)

    def schedule(self, loss: "MaskedCrossentropy", epochs: int) -> "MaskSchedule":
        """Return the callback that activates `loss` in the last epochs."""
        return MaskSchedule(loss, self.first_epoch(epochs))

    def first_epoch(self, epochs: int) -> int:
        """Return the first masked epoch, counted from 0. At least the last one is masked."""
        return epochs - max(1, round(self.share * epochs))


@keras.saving.register_keras_serializable("gender")
class MaskedCrossentropy(keras.losses.BinaryCrossentropy):
    """Binary cross-entropy over the examples whose probability lies outside the band [`low`, `high`].

    With keep = `outside_band(p)` and coverage = Σ keep·weight / Σ weight, the loss is mean(weight · keep · L) /
    coverage. Without weights this is the mean over the kept examples. Examples of weight 0 do not affect the
    coverage. If the coverage is below `min_coverage`, the whole batch is kept. Label smoothing changes L, not the
    mask.

    The loss is plain cross-entropy until `active` is set. A compiled step reads `active` once, when it is traced;
    `MaskSchedule` sets it and retraces the step.

    Raises:
        ValueError: Not 0 <= low <= high <= 1, or `min_coverage` not in [0, 1].
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
            raise ValueError(f"expected 0 <= low <= high <= 1, got low={low}, high={high}")
        if not 0 <= min_coverage <= 1:
            raise ValueError(f"expected min_coverage between 0 and 1, got {min_coverage}")
        self.low, self.high, self.min_coverage, self.active = low, high, min_coverage, False

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the scalar loss of labels, logits and weights, each `[B]` or `[B, 1]`."""
        labels, logits = _column(y_true), _column(y_pred)
        weights = ops.ones_like(logits) if sample_weight is None else _column(sample_weight)
        return super().__call__(labels, logits, self.mask(weights, logits) if self.active else weights)

    def mask(self, weights: TensorB1, logits: TensorB1) -> TensorB1:
        """Set the weights inside the band to 0 and divide the others by the coverage."""
        keep = ops.cast(outside_band(ops.sigmoid(ops.stop_gradient(logits)), self.low, self.high), weights.dtype)
        coverage = ops.divide_no_nan(ops.sum(keep * weights), ops.sum(weights))
        return weights * ops.where(coverage < self.min_coverage, 1.0, ops.divide_no_nan(keep, coverage))

    def get_config(self) -> dict[str, Any]:
        own = {"low": self.low, "high": self.high, "min_coverage": self.min_coverage}
        return {**own, "label_smoothing": self.label_smoothing, "name": self.name}


class MaskSchedule(keras.callbacks.Callback):
    """Activates a mask loss from `first_epoch` (counted from 0).

    Only the epoch number decides, so a resumed run behaves like an uninterrupted one. Validation is never masked:
    its loss selects the best epoch and must mean the same throughout.
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
def coverage(labels: TensorB1, logits: TensorB1, low: float, high: float) -> TensorB1:
    """Return 1 for each example outside the band, else 0."""
    return ops.cast(outside_band(ops.sigmoid(logits), low, high), "float32")


def outside_band(probabilities: Any, low: float, high: float) -> Any:
    """Return where a probability is less than `low` or greater than `high`; both ends belong to the band."""
    return ops.logical_or(probabilities < low, probabilities > high)


def _column(values: Any) -> TensorB1:
    """Reshape `[B]` or `[B, 1]` to `[B, 1]`. The product of both shapes would broadcast to `[B, B]`."""
    return ops.reshape(ops.convert_to_tensor(values, dtype="float32"), (-1, 1))
