"""FixMatch: a confident prediction of a weakly augmented picture is the label of its strongly augmented view.

Sohn et al., 2020 (https://arxiv.org/abs/2001.07685).
"""

from typing import Any

import keras
from keras import ops

from ..arrays import Shape, TensorB, TensorBK
from .multitask import UNLABELED, cross_entropies, multitask_losses


def pseudo_labels(probabilities: TensorBK, confidence: float) -> TensorBK:
    """Return 1 from `confidence` on, 0 down to 1 − `confidence`, else `UNLABELED`."""
    sure_or_not = ops.where(probabilities <= 1 - confidence, 0, UNLABELED)
    return ops.where(probabilities >= confidence, 1, sure_or_not)


class FixMatch(keras.Model):
    """Trains a network; call it with `[weak view [B, S, S, 3], strong view, labels [B, T]]` to get the loss `[B]`.

    The loss is the cross-entropy of labels on weak views over their number, plus that of pseudo-labels on strong views
    over the number of pictures (equations 3 and 4). All pictures have pseudo-labels, labeled ones too, as in the
    authors' code. Both views are one batch of the network, for its statistics.

    Args:
        network: The trained network, from pictures to logits `[B, T]`.
        confidence: τ, the probability from which a prediction is a label.
        weight: λ, the weight of the pseudo-labels.
    """

    def __init__(self, network: keras.Model, confidence: float = 0.95, weight: float = 1.0) -> None:
        super().__init__(name="fixmatch")
        self.network, self.confidence, self.weight = network, confidence, weight

    def call(self, inputs: list[Any], training: bool | None = None) -> TensorB:
        weak, strong, labels = inputs
        logits = self.network(ops.concatenate([weak, strong]), training=training)
        of_weak, of_strong = ops.split(logits, 2)
        targets = pseudo_labels(ops.stop_gradient(ops.sigmoid(of_weak)), self.confidence)
        consistency = ops.sum(cross_entropies(of_strong, targets), axis=1)
        return multitask_losses(of_weak, labels) + self.weight * consistency

    def compute_output_shape(self, shapes: list[Shape]) -> Shape:
        return shapes[0][:1]
