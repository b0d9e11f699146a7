"""Hand-crafted features count the tokens of a nickname."""

import keras
import numpy as np
import pytest

from genderprep import prepare_text
from genderprep.vocabulary import CLASSES, RARE_LETTERS, vocabulary
from training.layers import HandFeatures
from training.layers.hand_features import KINDS, kind_of, kind_table
from training.synthetic.vocabulary import emoji_keys


def counts(nickname: str, present: bool = True) -> list[float]:
    tokens, _ = prepare_text(nickname.encode())
    shares = HandFeatures()([tokens[None], np.array([[True, present]])])
    return (keras.ops.convert_to_numpy(shares)[0] * 32).tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("nickname", "expected"),
    [
        ("小宝🌹", [1, 2, 0, 0]),
        ("Anna 1990", [0, 0, 4, 4]),
        ("👩‍🚀👩🏽‍🚀强", [2, 1, 0, 0]),
        ("1️⃣号", [1, 1, 0, 0]),
        ("🇨🇳~!。ひ", [1, 0, 0, 0]),
        ("éÉ５", [0, 0, 2, 1]),
        ("龘", [0, 1, 0, 0]),
        ("强" * 40, [0, 32, 0, 0]),
        ("", [0, 0, 0, 0]),
        ("微信用户", [0, 0, 0, 0]),
    ],
)
def test_counts(nickname: str, expected: list[float]) -> None:
    assert counts(nickname) == expected


def test_missing_nickname_has_no_counts() -> None:
    assert counts("小宝🌹", present=False) == [0, 0, 0, 0]


def test_kinds_of_the_vocabulary() -> None:
    assert {token for token in vocabulary() if kind_of(token) == "<EMOJI>"} == {"<EMOJI>", *emoji_keys()}
    assert [kind_of(token) for token in CLASSES] == list(CLASSES)
    assert {kind_of(token) for token in RARE_LETTERS} == {"<HAN>"}
    assert KINDS == ("<EMOJI>", "<HAN>", "<LATIN>", "<DIGIT>")
    assert kind_table(["🌹", "强", "a", "7", "!"]).tolist() == [*np.eye(4).tolist(), [0, 0, 0, 0]]


def test_table_is_not_trainable() -> None:
    layer = HandFeatures()
    layer.build([(None, 32), (None, 2)])
    assert not layer.trainable_variables
    assert layer.table.shape == (len(vocabulary()), 4)
