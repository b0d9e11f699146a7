"""The ranker: Deep Image CTR Model (Ge et al., 2017, section 4, https://arxiv.org/abs/1711.06505).

One set of layers, two graphs: for training, pictures are rows of a table whose vectors are compressed once a batch; for
serving, they are vectors, so that any new picture is ranked.
"""

from typing import Any, Final

import keras
from keras import ops

from ..arrays import FloatsND, TensorBD, TensorBK, TensorBKD, TensorBT, TensorBTD
from ..layers import (
    AttentivePooling,
    ChannelPReLU,
    Compressor,
    ConcatPooling,
    MaxPooling,
    MultiQueryAttentivePooling,
    SumPooling,
    TasteMixture,
)
from ..layers.log_odds import log_odds
from .config import MAX_HISTORY, Config

MAX_CANDIDATES: Final = 200
EMBEDDING_SIZE: Final = 256
# Rows of the id table before those of pictures.
PADDING_ID, UNKNOWN_ID, FIRST_ID = 0, 1, 2
# Log odds of priors and of P(female) stay within ±6.
LEAST: Final = 0.0025
_ID_SIZE: Final = 12
_PROJECTED: Final = 8
# The logit of a place without a candidate.
MASKED_LOGIT: Final = -1e4
_QUERIES: Final[dict[str, Any]] = {"attentive": AttentivePooling, "multi_query": MultiQueryAttentivePooling}
_POOLINGS: Final[dict[str, Any]] = {
    "sum": SumPooling,
    "max": MaxPooling,
    "concat": lambda **names: ConcatPooling(MAX_HISTORY, **names),
}


class CompressedPictures(keras.layers.Layer):
    """Looks up pictures in a frozen table of vectors [P + 1, D], compressed: from rows `[B, T]` to `[B, T, units[-1]]`.

    The whole table is compressed once, which costs less than each picture of a batch: pictures repeat.
    """

    def __init__(self, table: FloatsND, compressor: Compressor, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.compressor = compressor
        self.table = self.add_weight(
            shape=table.shape, initializer=lambda *_, **__: table.astype("float32"), trainable=False, name="table"
        )

    def call(self, rows: TensorBT) -> TensorBTD:
        return ops.take(self.compressor(self.table), rows, axis=0)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape, self.compressor.units[-1])


class Ranker:
    """The layers of a ranker and the graphs that use them.

    Args:
        config: What the ranker knows.
        size: D, of the picture vectors.
    """

    def __init__(self, config: Config, size: int) -> None:
        self.config, self.size = config, size
        # Unit vectors have small coordinates; these have a mean square of 1.
        self.scale = keras.layers.Rescaling(size**0.5, name="vector_scale")
        self.compressor = Compressor(config.compressor, name="compressor")
        self.project = keras.layers.Dense(_PROJECTED, name="embedding_projection")
        self.project_activation = ChannelPReLU(name="embedding_activation")
        kind = (_QUERIES | _POOLINGS)[config.pooling]
        if config.pooling == "multi_query" and not config.candidate_picture:
            kind = AttentivePooling
        self.pool = kind(name="history_pooling")
        self.pool_ids = AttentivePooling(name="history_id_pooling")
        self.taste_mixture = TasteMixture(config.tastes, name="taste_mixture") if config.tastes else None
        self.dense = [keras.layers.Dense(units, name=f"dense_{units}") for units in config.hidden]
        self.activations = [ChannelPReLU(name=f"prelu_{units}") for units in config.hidden]
        self.output = keras.layers.Dense(1, name="logit")

    def training_model(self, table: FloatsND) -> keras.Model:
        """Build the model of sessions: pictures are rows of `table` [P + 1, D], whose row 0 is padding.

        Inputs that the config does not need are left out. The output is `logits` [B, K].
        """
        history, candidates = (keras.Input((None,), dtype="int32", name=name) for name in ("history", "candidates"))
        priors, inputs = keras.Input((None,), name="priors"), _user_inputs()
        inputs |= {"history": history, "candidates": candidates, "priors": priors}
        pictures = CompressedPictures(table * self.scale.scale, self.compressor, name="pictures")
        ids: tuple[Any, Any] | None = None
        if self.config.ids:
            embed = keras.layers.Embedding(len(table) - 1 + FIRST_ID, _ID_SIZE, name="id_embedding")
            for name in ("history_ids", "candidate_ids"):
                inputs[name] = keras.Input((None,), dtype="int32", name=name)
            ids = embed(inputs["history_ids"]), embed(inputs["candidate_ids"])
        logits = self._logits(pictures(history), history > 0, pictures(candidates), priors, inputs, ids)
        used = {tensor.name for tensor in keras.Model(inputs, logits).inputs}
        return keras.Model({name: tensor for name, tensor in inputs.items() if name in used}, logits, name="ranker")

    def served_model(self) -> keras.Model:
        """Build the model of vectors, for export; it shares the trained layers.

        Raises:
            ValueError: The ranker embeds ids.
        """
        if self.config.ids:
            raise ValueError("expected a ranker without ids; one with ids cannot rank a new picture")
        inputs = _user_inputs()
        inputs |= {
            "history_vectors": keras.Input((MAX_HISTORY, self.size), name="history_vectors"),
            "history_mask": keras.Input((MAX_HISTORY,), dtype="bool", name="history_mask"),
            "candidate_vectors": keras.Input((MAX_CANDIDATES, self.size), name="candidate_vectors"),
            "candidate_mask": keras.Input((MAX_CANDIDATES,), dtype="bool", name="candidate_mask"),
            "candidate_priors": keras.Input((MAX_CANDIDATES,), name="candidate_priors"),
        }
        logits = self._logits(
            self.compressor(self.scale(inputs["history_vectors"])),
            inputs["history_mask"],
            self.compressor(self.scale(inputs["candidate_vectors"])),
            inputs["candidate_priors"],
            inputs,
            None,
        )
        logits = ops.where(inputs["candidate_mask"], logits, MASKED_LOGIT)
        return keras.Model(inputs, logits, name="served_ranker")

    def _logits(
        self,
        history: TensorBTD,
        mask: TensorBT,
        candidates: TensorBKD,
        priors: TensorBK,
        inputs: dict[str, Any],
        ids: tuple[TensorBTD, TensorBKD] | None,
    ) -> TensorBK:
        """Return the logits of P(like) from compressed vectors and, if known, id embeddings."""
        user = self._user(inputs, mask)
        parts = [candidates] if self.config.candidate_picture else []
        named = user[:, None]
        if ids is not None:
            history_ids, candidate_ids = ids
            named = ops.concatenate([candidate_ids, _spread(named, candidate_ids)], axis=-1)
            pooled = self.pool_ids([candidate_ids, history_ids, mask])
            parts += [candidate_ids, pooled]
            if self.config.products:
                parts.append(pooled * candidate_ids)
        if self.config.history_pictures:
            pooled = self._pooled(history, mask, candidates, named)
            parts.append(pooled)
            if self.config.products and self.config.candidate_picture and self.config.pooling != "concat":
                parts.append(pooled * ops.tile(candidates, (1, 1, pooled.shape[-1] // candidates.shape[-1])))
        parts.append(log_odds(priors, LEAST)[..., None])
        first = parts[0]
        x = ops.concatenate([first, *(_spread(part, first) for part in (*parts[1:], user[:, None]))], axis=-1)
        for dense, activation in zip(self.dense, self.activations, strict=True):
            x = activation(dense(x))
        logits = self.output(x)[..., 0]
        if self.taste_mixture is not None:
            logits = logits + self.taste_mixture([user, history, mask, candidates])
        return logits

    def rescale(self, slope: float, offset: float) -> None:
        """Replace all logits by slope · logit + offset, in the weights."""
        kernel, bias = self.output.get_weights()
        self.output.set_weights([slope * kernel, slope * bias + offset])
        if self.taste_mixture is not None:
            self.taste_mixture.scale.assign(slope * self.taste_mixture.scale)

    def _user(self, inputs: dict[str, Any], mask: TensorBT) -> TensorBD:
        """Return the user's features: how many likes are known, and what the gender model says."""
        count = ops.sum(ops.cast(mask, "float32"), axis=1, keepdims=True)
        parts = [ops.log1p(count) / 4]
        if self.config.gender:
            unit = keras.layers.UnitNormalization(name="embedding_unit")(inputs["embedding"])
            p_female = inputs["probabilities"][:, 1:]
            parts += [log_odds(p_female, LEAST), self.project_activation(self.project(unit))]
        return ops.concatenate(parts, axis=-1)

    def _pooled(self, history: TensorBTD, mask: TensorBT, candidates: TensorBKD, named: TensorBKD) -> TensorBKD:
        if self.config.pooling in _POOLINGS:
            return self.pool([history, mask])[:, None]
        if not self.config.candidate_picture:
            return self.pool([named, history, mask])
        if self.config.pooling == "attentive":
            return self.pool([candidates, history, mask])
        return self.pool([candidates, named, history, mask])


def _user_inputs() -> dict[str, Any]:
    return {
        "embedding": keras.Input((EMBEDDING_SIZE,), name="embedding"),
        "probabilities": keras.Input((2,), name="probabilities"),
    }


def _spread(tensor: TensorBKD, like: TensorBKD) -> TensorBKD:
    """Repeat `[B, 1, D]` for each candidate of another tensor `[B, K, …]`; `[B, K, D]` stays as it is."""
    return tensor + ops.zeros_like(like[..., :1])
