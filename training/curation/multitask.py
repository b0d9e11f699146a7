"""One network for all attributes of a picture: a shared trunk and one head each.

A label is 1, 0 or `UNLABELED`; a head learns from the pictures that are labeled for its attribute.
"""

from typing import Any, Final

import keras
from keras import ops

from ..arrays import FloatsNK, Shape, TensorB, TensorBK
from .frozen import UpperBlocks, build_upper_blocks
from .network import TAPS, Trunk, build_trunk
from .views import Plain

# The size of a network.
Architecture = Trunk | UpperBlocks

UNLABELED: Final = -1
_PREDICTED_AT_ONCE: Final = 256


def build_network(trunk: Architecture, heads: int) -> keras.Model:
    """Build the network from pictures, or maps of frozen blocks, to a logit of each attribute, `[B, heads]`.

    Each head is linear on the mean of the last feature maps, so its class activation map is exact.
    """
    return with_heads(build_trunk(trunk) if isinstance(trunk, Trunk) else build_upper_blocks(trunk), heads)


def with_heads(body: keras.Model, heads: int) -> keras.Model:
    """Add the heads to a network that ends in feature maps."""
    pooled = keras.layers.GlobalAveragePooling2D(name="pooled")(body.output)
    return keras.Model(body.input, keras.layers.Dense(heads, name="logits")(pooled), name="network")


def with_taps(network: keras.Model) -> keras.Model:
    """Return the network with `[logits, *taps]` as its outputs, one tap per stage; the weights are shared."""
    return keras.Model(network.input, [network.output, *(network.get_layer(name).output for name in TAPS)])


def predict(network: keras.Model, pictures: Plain) -> FloatsNK:
    """Return the probability of each attribute, `[N, T]`, of pictures or their maps."""
    logits = network.predict(pictures, batch_size=_PREDICTED_AT_ONCE, verbose=0)
    probabilities: FloatsNK = ops.convert_to_numpy(ops.sigmoid(logits))
    return probabilities


def cross_entropies(logits: TensorBK, labels: TensorBK) -> TensorBK:
    """Return the cross-entropy of each label `[B, T]` in nats, 0 where there is none."""
    known = ops.cast(labels != UNLABELED, logits.dtype)
    # log(1 + eˣ) − yx, without overflow.
    losses = ops.maximum(logits, 0.0) + ops.log1p(ops.exp(-ops.abs(logits))) - ops.cast(labels, logits.dtype) * logits
    return known * losses


def multitask_losses(logits: TensorBK, labels: TensorBK) -> TensorB:
    """Return the share of each picture in Σ_t Σ_i m_it L_it / Σ_i m_it, times B, so that its mean is that sum.

    m_it is 1 if picture i is labeled for attribute t. If all are, the loss of a picture is Σ_t L_it.

    Args:
        logits: `[B, T]`.
        labels: 1, 0 or `UNLABELED`, `[B, T]`.
    """
    known = ops.sum(ops.cast(labels != UNLABELED, logits.dtype), axis=0)
    share = ops.cast(ops.shape(logits)[0], logits.dtype) / ops.maximum(known, 1.0)
    return ops.sum(share * cross_entropies(logits, labels), axis=1)


class Supervised(keras.Model):
    """Trains a network on labels; call it with `[pictures [B, S, S, 3], labels [B, T]]` to get the loss `[B]`."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__(name="supervised")
        self.network = network

    def call(self, inputs: list[Any], training: bool | None = None) -> TensorB:
        pictures, labels = inputs
        return multitask_losses(self.network(pictures, training=training), labels)

    def compute_output_shape(self, shapes: list[Shape]) -> Shape:
        return shapes[0][:1]
