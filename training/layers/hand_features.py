"""The article's hand-crafted nickname features, counted in the graph, so that serving needs no new input."""

from collections.abc import Iterable
from typing import Any, Final

import keras
import numpy as np
import regex
from keras import ops
from numpy.typing import NDArray

from genderprep.tensors import MAX_TOKENS
from genderprep.text import script_class
from genderprep.vocabulary import CLASSES, vocabulary

# The article does not say which four it had; these are the ones that a division by 32 suits.
KINDS: Final = ("<EMOJI>", "<HAN>", "<LATIN>", "<DIGIT>")

# A keycap (1⃣) is an emoji by its enclosing mark; a bare digit is none.
_EMOJI: Final = regex.compile(r"[\p{Extended_Pictographic}\p{Regional_Indicator}\u20e3]")


@keras.saving.register_keras_serializable("gender")
class HandFeatures(keras.layers.Layer):
    """How many emoji, Han, Latin and digit tokens a nickname has, each count divided by 32.

    Call with `[tokens, present]`: int [B, 32] and bool [B, 2]; returns float [B, 4] in [0, 1], zeros where the
    nickname is missing. The table from ids to kinds is saved with the model.
    """

    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        table = kind_table(vocabulary())
        self.table = self.add_weight(
            shape=table.shape, initializer=lambda *_, **__: table, trainable=False, name="kinds"
        )

    def call(self, inputs: list[Any]) -> Any:
        tokens, present = inputs
        counts = ops.sum(ops.take(self.table, tokens, axis=0), axis=1)
        return counts * ops.cast(present[:, 1:], counts.dtype) / MAX_TOKENS

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        return (input_shape[0][0], len(KINDS))


def kind_table(tokens: Iterable[str]) -> NDArray[np.float32]:
    """One row for each token, float [V, 4]: 1 in the column of its kind: `["强", "!"]` gives a 1 and none."""
    return np.array([[kind_of(token) == kind for kind in KINDS] for token in tokens], np.float32)


def kind_of(token: str) -> str:
    """The class of a token of the vocabulary: `🌹` gives `<EMOJI>`, `强` and `<HAN>` give `<HAN>`."""
    if token in CLASSES:
        return token
    return "<EMOJI>" if _EMOJI.search(token) else script_class(token[0])
