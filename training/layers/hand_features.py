"""The article's hand-crafted nickname features, computed in the graph, so that serving needs no extra input."""

from collections.abc import Iterable
from typing import Any, Final

import keras
import numpy as np
import regex
from keras import ops
from numpy.typing import NDArray

from genderprep.tensors import MAX_TOKENS
from genderprep.vocabulary import CLASSES, RARE_LETTERS, vocabulary

from ..arrays import Shape, TensorBD

# The article does not name its four features. These suit its division by 32.
KINDS: Final = ("<EMOJI>", "<HAN>", "<LATIN>", "<DIGIT>")

# A keycap (1⃣) is an emoji because of its enclosing mark U+20E3; a bare digit is not.
_EMOJI: Final = regex.compile(r"[\p{Extended_Pictographic}\p{Regional_Indicator}\u20e3]")
_SCRIPTS: Final = (
    ("<HAN>", regex.compile(r"\p{Script=Han}")),
    ("<LATIN>", regex.compile(r"\p{Script=Latin}")),
    ("<DIGIT>", regex.compile(r"\p{N}")),
)


@keras.saving.register_keras_serializable("gender")
class HandFeatures(keras.layers.Layer):
    """Count the emoji, Han, Latin and digit tokens of a nickname, each divided by 32.

    Call it with `[tokens [B, 32], present [B, 2]]`; it returns `[B, 4]` in [0, 1], zeros if the nickname is missing.
    The table from token ids to kinds is saved with the model.
    """

    def build(self, input_shape: list[Shape]) -> None:
        table = kind_table(vocabulary())
        self.table = self.add_weight(
            shape=table.shape, initializer=lambda *_, **__: table, trainable=False, name="kinds"
        )

    def call(self, inputs: list[Any]) -> TensorBD:
        tokens, present = inputs
        counts = ops.sum(ops.take(self.table, tokens, axis=0), axis=1)
        return counts * ops.cast(present[:, 1:], counts.dtype) / MAX_TOKENS


def kind_table(tokens: Iterable[str]) -> NDArray[np.float32]:
    """Return the one-hot kind of each of V tokens, `[V, 4]`; zeros for any other kind."""
    return np.array([[kind_of(token) == kind for kind in KINDS] for token in tokens], np.float32)


def kind_of(token: str) -> str:
    """Return one of `KINDS`, or any other class: `🌹` -> `<EMOJI>`, `强` -> `<HAN>`.

    Nearly all rare letters are Han.
    """
    if token in RARE_LETTERS:
        return "<HAN>"
    if token in CLASSES:
        return token
    if _EMOJI.search(token):
        return "<EMOJI>"
    return next((kind for kind, pattern in _SCRIPTS if pattern.match(token[0])), "<OTHER>")
