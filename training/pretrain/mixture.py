"""A sparse mixture of experts in place of a feed-forward network (article 001, of M6).

Shazeer et al., 2017 (https://arxiv.org/abs/1701.06538); load balancing as in Fedus et al., 2021
(https://arxiv.org/abs/2101.03961).
"""

import math
from typing import Any, Final

import keras
from keras import ops

from ..arrays import Shape, TensorBTD, TensorBTE

GATES: Final = ("article", "topk_softmax")


def gate_weights(logits: TensorBTE, k: int, gate: str) -> TensorBTE:
    """Return the weight of each expert for each token, `[B, T, E]`: k are positive and sum to 1, the others are 0.

    `"topk_softmax"` is the softmax of the k largest logits. `"article"` is the softmax of all logits, of whose k
    largest the softmax is taken again; for k = 2 its weights lie between 0.269 and 0.731.

    Raises:
        ValueError: The gate is unknown, or k is not in 1..E.
    """
    experts = logits.shape[-1]
    if gate not in GATES:
        raise ValueError(f"expected a gate of {', '.join(GATES)}, got {gate!r}")
    if not 1 <= k <= experts:
        raise ValueError(f"expected k between 1 and {experts}, got {k}")
    values, chosen = ops.top_k(ops.softmax(logits, axis=-1) if gate == "article" else logits, k)
    return ops.sum(ops.softmax(values, axis=-1)[..., None] * ops.one_hot(chosen, experts, dtype=values.dtype), axis=-2)


def load_balance(logits: TensorBTE, weights: TensorBTE) -> Any:
    """Return E·Σ f_e·P_e (Fedus et al., equation 4) over the tokens with an expert; 1 for an even load.

    f_e is the share of the assignments that expert e gets, P_e the mean of its softmax; only P_e has a gradient.
    """
    assigned = ops.cast(weights > 0, logits.dtype)
    share = ops.sum(assigned, axis=(0, 1)) / ops.sum(assigned)
    routed = ops.max(assigned, axis=-1, keepdims=True)
    probability = ops.sum(ops.softmax(logits, axis=-1) * routed, axis=(0, 1)) / ops.sum(routed)
    return logits.shape[-1] * ops.sum(ops.stop_gradient(share) * probability)


@keras.saving.register_keras_serializable("pretrain")
class MixtureOfExperts(keras.layers.Layer):
    """k of E feed-forward networks for each token; call it with `[x [B, T, D], valid [B, T]]` to get `[B, T, D]`.

    In training an expert takes at most `capacity` · k · T / E tokens of each row, those of the largest weight; a token
    over the capacity gets the answers of fewer experts. Outside training nothing is dropped. Padding gets 0.

    Args:
        experts: E.
        k: Experts for each token.
        hidden: Hidden size of an expert.
        gate: A name in `GATES`.
        capacity: Capacity factor.
        balance: Weight of `load_balance` in the loss.
    """

    def __init__(
        self,
        experts: int = 4,
        k: int = 2,
        hidden: int = 256,
        gate: str = "topk_softmax",
        capacity: float = 1.25,
        balance: float = 0.01,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.experts, self.k, self.hidden, self.gate = experts, k, hidden, gate
        self.capacity, self.balance = capacity, balance

    def build(self, input_shape: list[Shape]) -> None:
        size = input_shape[0][-1]
        shapes = {"router": (size, self.experts), "widen": (self.experts, size, self.hidden)}
        shapes |= {"narrow": (self.experts, self.hidden, size)}
        self.router, self.widen, self.narrow = (
            self.add_weight(shape=shape, initializer="glorot_uniform", name=name) for name, shape in shapes.items()
        )

    def call(self, inputs: list[Any], training: bool | None = None) -> TensorBTD:
        x, valid = inputs
        logits = ops.matmul(x, self.router)
        weights = gate_weights(logits, self.k, self.gate) * ops.cast(valid, logits.dtype)[..., None]
        if not training:
            return ops.einsum("betd,bte->btd", self._answers(ops.repeat(x[:, None], self.experts, axis=1)), weights)
        self.add_loss(self.balance * load_balance(logits, weights))
        # [B, E, places]; a place that no token fills has weight 0.
        weight, index = ops.top_k(ops.transpose(weights, (0, 2, 1)), self._places(x.shape[1]))
        sent_to = ops.one_hot(index, x.shape[1], dtype=x.dtype)
        answers = self._answers(ops.einsum("bept,btd->bepd", sent_to, x))
        return ops.einsum("bept,bepd->btd", sent_to * weight[..., None], answers)

    def _places(self, steps: int) -> int:
        return min(steps, math.ceil(self.capacity * self.k * steps / self.experts))

    def _answers(self, tokens: Any) -> Any:
        """Apply each expert to its tokens, `[B, E, tokens, D]`."""
        hidden = ops.relu(ops.einsum("bepd,edh->beph", tokens, self.widen))
        return ops.einsum("beph,ehd->bepd", hidden, self.narrow)

    def get_config(self) -> dict[str, Any]:
        own = {"experts": self.experts, "k": self.k, "hidden": self.hidden, "gate": self.gate}
        return {**super().get_config(), **own, "capacity": self.capacity, "balance": self.balance}
