"""The pre-ranker: two linear towers and an inner product, fast enough for 10,000 candidates (Ge et al., 2017).

A user's vector is mean(vectors of liked pictures) H + PROBABILITIES P + b; a candidate's score is its inner product
with the picture's vector, plus w · logit of the candidate's prior.
"""

from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from keras import ops

from ..arrays import FloatsND, TensorBD, TensorBK, TensorBKD, TensorBT, TensorBTD
from ..layers.log_odds import log_odds
from .model import FIRST_ID, LEAST

_ID_SIZE: Final = 12


class TwoTowers(keras.layers.Layer):
    """Scores candidates; call it with `[history [B, T, D], mask [B, T], probabilities [B, 2], candidates [B, K, D],
    priors [B, K]]` to get the logits `[B, K]`.

    Without a history, a learned null vector takes the place of the mean.
    """

    def build(self, input_shape: list[Any]) -> None:
        size = input_shape[0][-1]
        self.null = self.add_weight(shape=(size,), initializer="zeros", name="null_history")
        self.history = self.add_weight(shape=(size, size), initializer="zeros", name="history")
        self.gender = self.add_weight(shape=(2, size), initializer="zeros", name="probabilities")
        self.bias = self.add_weight(shape=(size,), initializer="zeros", name="bias")
        self.prior = self.add_weight(shape=(), initializer="ones", name="prior")

    def call(self, inputs: list[Any]) -> TensorBK:
        history, mask, probabilities, candidates, priors = inputs
        user = self.user(history, mask, probabilities)
        return ops.sum(user[:, None] * candidates, axis=-1) + self.prior * log_odds(priors, LEAST)

    def user(self, history: TensorBTD, mask: TensorBT, probabilities: TensorBD) -> TensorBD:
        """Return the users' vectors `[B, D]`."""
        kept = ops.cast(mask, history.dtype)[..., None]
        count = ops.sum(kept, axis=1)
        mean = ops.sum(history * kept, axis=1) / ops.maximum(count, 1.0)
        mean = ops.where(count > 0, mean, ops.convert_to_tensor(self.null))
        return ops.matmul(mean, self.history) + ops.matmul(probabilities, self.gender) + self.bias

    def compute_output_shape(self, input_shape: list[Any]) -> Any:
        return tuple(input_shape[-1])

    def save_npz(self, file: Path) -> None:
        """Write the weights, by the names that the gallery reads."""
        np.savez(file, **{weight.name: ops.convert_to_numpy(weight) for weight in self.weights})


def two_tower_model(table: FloatsND, ids: bool = False, pictures: bool = True) -> keras.Model:
    """Build the pre-ranker of sessions, with the inputs of `Ranker.training_model`.

    Args:
        table: Vectors of pictures, [P + 1, D]; row 0 is padding.
        ids: Whether ids are embedded; the gallery's pre-ranker has none.
        pictures: Whether the vectors are used.
    """
    names = ["history", *(["candidates"] if pictures else []), *(["history_ids", "candidate_ids"] if ids else [])]
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in names}
    inputs |= {"probabilities": keras.Input((2,), name="probabilities"), "priors": keras.Input((None,), name="priors")}
    history: list[TensorBTD] = []
    candidates: list[TensorBKD] = []
    if pictures:
        vectors = keras.layers.Embedding(*table.shape, trainable=False, name="pictures")
        history.append(vectors(inputs["history"]))
        candidates.append(vectors(inputs["candidates"]))
        vectors.set_weights([table])
    if ids:
        embed = keras.layers.Embedding(len(table) - 1 + FIRST_ID, _ID_SIZE, name="id_embedding")
        history.append(embed(inputs["history_ids"]))
        candidates.append(embed(inputs["candidate_ids"]))
    joined = [ops.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0] for parts in (history, candidates)]
    towers = TwoTowers(name="towers")
    logits = towers([joined[0], inputs["history"] > 0, inputs["probabilities"], joined[1], inputs["priors"]])
    return keras.Model(inputs, logits, name="prerank")
