"""A mixture of latent tastes (Hofmann, 2004, "Latent semantic models for collaborative filtering", section 3,
https://doi.org/10.1145/963770.963774).
"""

from typing import Any, Final

import keras
from keras import ops

from ..arrays import Shape, TensorBK, TensorBT
from .log_odds import log_odds

# P(like) stays between this and 1 minus this.
LEAST: Final = 1e-4


@keras.saving.register_keras_serializable("gender")
class TasteMixture(keras.layers.Layer):
    """Returns the log odds of P(like | user, candidate) = Σₖ P(k | user) P(like | k, candidate) over latent tastes k,
    times a learned scale, at first 1.

    log P(k | user) is what the user's features say, plus the evidence of each liked picture. Evidence is added, as in
    Bayes's rule: ten liked pictures of a kind are surer than one, which an average of pictures cannot express.

    Call it with `[user [B, U], items [B, T, D], mask [B, T], candidates [B, K, D]]`; it returns `[B, K]`. Masked items
    are no evidence.

    Args:
        tastes: The number of latent tastes.
    """

    def __init__(self, tastes: int = 24, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tastes = tastes
        self.prior = keras.layers.Dense(tastes)
        self.evidence = keras.layers.Dense(tastes)
        self.appeal = keras.layers.Dense(tastes, activation="sigmoid")

    def build(self, input_shape: list[Shape]) -> None:
        user, items, _, candidates = input_shape
        self.prior.build((None, user[-1]))
        self.evidence.build((None, items[-1]))
        self.appeal.build((None, candidates[-1]))
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def call(self, inputs: list[Any]) -> TensorBK:
        user, items, mask, candidates = inputs
        p_like = ops.matmul(self.appeal(candidates), self.shares(user, items, mask)[..., None])[..., 0]
        return self.scale * log_odds(p_like, LEAST)

    def shares(self, user: Any, items: Any, mask: TensorBT) -> Any:
        """Return P(taste | user), `[B, tastes]`."""
        evidence = self.evidence(items) * ops.cast(mask, user.dtype)[..., None]
        return ops.softmax(self.prior(user) + ops.sum(evidence, axis=1), axis=-1)

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        return input_shape[3][:2]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "tastes": self.tastes}
