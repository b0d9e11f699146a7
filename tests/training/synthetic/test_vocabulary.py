from genderprep.vocabulary import SPECIAL_TOKENS, vocabulary
from training.synthetic.vocabulary import MIN_NAMES, emoji_keys, name_characters


def test_character_needs_enough_names() -> None:
    names = [f"{other}ж" for other in "абвгд"[:MIN_NAMES]] + ["Жж", "ққққққ"]
    assert name_characters(names, MIN_NAMES) == ["ж"]


def test_shipped_vocabulary_starts_with_special_tokens_and_ends_with_emoji() -> None:
    tokens, emojis = list(vocabulary()), emoji_keys()
    assert tokens[: len(SPECIAL_TOKENS)] == list(SPECIAL_TOKENS)
    assert tokens[-len(emojis) :] == emojis
    plain = tokens[len(SPECIAL_TOKENS) : -len(emojis)]
    assert plain == sorted(plain)
    assert {*"abcxyz019 _我あアー★"} <= {*plain, *emojis}


def test_ids_stay_below_the_limit_of_the_ngram_hash() -> None:
    assert len(vocabulary()) < 9000
