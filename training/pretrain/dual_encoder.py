"""A dual encoder of pictures and titles: a small stand-in for M6, whose embeddings article 001 finds best.

The loss is the symmetric InfoNCE with a learned temperature of Radford et al., 2021
(https://arxiv.org/abs/2103.00020, figure 3). M6's weights are not public.
"""

import math
from typing import Any, Final

import keras
from keras import ops

from genderprep.tensors import MAX_TOKENS
from genderprep.vocabulary import vocabulary

from ..arrays import FloatsND, Shape, TensorB, TensorBD, TokensNT
from ..layers import MaskedMean, PositionEmbedding, TransformerEncoderLayer, is_token
from .key_queue import KeyQueue
from .mixture import MixtureOfExperts
from .moco import info_nce
from .whitening import Whitening

# Tokens of a title; a longer one is cut. Serving tokenizes titles like nicknames.
TITLE_TOKENS: Final = MAX_TOKENS
# Characters that the convolution joins.
_WORD: Final = 5
_FIRST_TEMPERATURE: Final = 0.07
_MAX_SCALE: Final = 100.0
# Of two views of a picture.
_VIEW_TEMPERATURE: Final = 0.1


def symmetric_info_nce(pictures: TensorBD, titles: TensorBD, scale: Any) -> TensorB:
    """Return the mean of both cross-entropies, picture → title and title → picture, for each pair, `[B]` in nats.

    Args:
        pictures: Unit vectors `[B, D]`.
        titles: Unit vectors of the titles of the same pictures, `[B, D]`.
        scale: 1 / τ.
    """
    logits = scale * ops.matmul(pictures, ops.transpose(titles))
    matched = ops.diagonal(logits)
    return (ops.logsumexp(logits, axis=0) + ops.logsumexp(logits, axis=1)) / 2 - matched


def build_title_tower(
    size: int = 128, layers: int = 2, heads: int = 4, dims: int = 32, experts: int = 4, gate: str = "topk_softmax"
) -> keras.Model:
    """Build the title tower, from token ids, int32 `[B, TITLE_TOKENS]`, to unit vectors `[B, dims]`.

    A convolution joins characters to words, and a sparse mixture of experts follows the transformer encoder; both have
    a residual connection.
    """
    tokens = keras.Input((TITLE_TOKENS,), dtype="int32", name="title")
    valid = keras.layers.Lambda(is_token, name="valid")(tokens)
    characters = keras.layers.Embedding(len(vocabulary()), size, name="embedding")(tokens)
    words = keras.layers.Conv1D(size, _WORD, padding="same", activation="relu", name="words")(characters)
    x = PositionEmbedding(TITLE_TOKENS, name="positions")(keras.layers.Add()([characters, words]))
    for index in range(layers):
        x = TransformerEncoderLayer(heads, 2 * size, name=f"encoder_{index + 1}")([x, valid])
    mixed = MixtureOfExperts(experts, hidden=2 * size, gate=gate, name="experts")([x, valid])
    x = keras.layers.LayerNormalization(name="norm")(keras.layers.Add()([x, mixed]))
    return keras.Model(tokens, _unit(dims)(MaskedMean()([x, valid])), name="title_tower")


def build_picture_tower(encoder: keras.Model, dims: int = 32) -> keras.Model:
    """Build the picture tower, from pictures, float `[B, S, S, 3]` in 0..255, to unit vectors `[B, dims]`."""
    return keras.Model(encoder.input, _unit(dims)(encoder.output), name="picture_tower")


def start_projection(tower: keras.Model, features: FloatsND) -> None:
    """Start the projection of a picture tower at the whitened principal components of its encoder's features.

    A random projection would first destroy what a pretrained encoder knows, as a random head does (Kumar et al., 2022,
    https://arxiv.org/abs/2202.10054).

    Args:
        tower: A model of `build_picture_tower`.
        features: The encoder's features of train pictures, `[N, F]`.
    """
    projection = tower.get_layer("unit_vector").get_layer("projection")
    whitening = Whitening.fit(features, projection.units)
    projection.set_weights([whitening.matrix, -whitening.mean @ whitening.matrix])


def embed_titles(dual: keras.Model, titles: TokensNT) -> FloatsND:
    """Return the unit vectors of titles `[N, D]` of a saved dual encoder."""
    tower = dual.get_layer("title_tower")
    vectors: FloatsND = ops.convert_to_numpy(tower(titles, training=False))
    return vectors


def picture_trunk(dual: keras.Model) -> keras.Model:
    """Return the encoder below the projection of a saved dual encoder, from pictures to features `[B, F]`."""
    tower = dual.get_layer("picture_tower")
    return keras.Model(tower.inputs, tower.get_layer("unit_vector").input)


class DualEncoder(keras.Model):
    """Trains both towers on pairs; call it with `[view [B, S, S, 3], title [B, T]]` to get the loss `[B]`.

    Pictures of one title get one vector. With an `instance_weight`, call it with `[view, other view, title]`: the loss
    then includes InfoNCE of two views of a picture against earlier pictures, so that vectors also tell pictures of one
    title apart.

    Args:
        pictures: The picture tower, to unit vectors `[B, D]`.
        titles: The title tower, to unit vectors `[B, D]`.
        instance_weight: Weight of the loss of the views.
        queue: Earlier pictures that a view is compared with; a multiple of every batch.
    """

    def __init__(
        self, pictures: keras.Model, titles: keras.Model, instance_weight: float = 0.0, queue: int = 1024
    ) -> None:
        super().__init__(name="dual_encoder")
        self.pictures, self.titles, self.instance_weight = pictures, titles, instance_weight
        first = keras.initializers.Constant(math.log(1 / _FIRST_TEMPERATURE))
        self.log_scale = self.add_weight(shape=(), initializer=first, name="log_scale")
        self.queue = KeyQueue(queue, pictures.output_shape[-1]) if instance_weight else None

    def call(self, inputs: list[Any], training: bool | None = None) -> TensorB:
        view, *others, titles = inputs
        vectors = self.pictures(view, training=training)
        scale = ops.minimum(ops.exp(self.log_scale), _MAX_SCALE)
        loss = symmetric_info_nce(vectors, self.titles(titles, training=training), scale)
        if self.queue is None:
            return loss
        keys = ops.stop_gradient(self.pictures(others[0], training=training))
        loss += self.instance_weight * info_nce(vectors, keys, self.queue.keys.value, _VIEW_TEMPERATURE)
        if training:
            self.queue.push(keys)
        return loss

    def compute_output_shape(self, inputs_shape: list[Shape]) -> Shape:
        return inputs_shape[0][:1]


def _unit(dims: int) -> keras.Sequential:
    return keras.Sequential(
        [keras.layers.Dense(dims, name="projection"), keras.layers.UnitNormalization(axis=1)], name="unit_vector"
    )
