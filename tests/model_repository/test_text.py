"""`genderprep.text`: graphemes, emoji, fall-backs, and anything a person can type."""

import unicodedata

import emoji
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from genderprep import InvalidNickname, prepare_text
from genderprep.limits import MAX_NICKNAME_BYTES
from genderprep.tensors import MAX_TOKENS
from genderprep.text import emoji_key, fallback, segment, tokenize
from genderprep.vocabulary import SPECIAL_TOKENS, vocabulary

PAD, UNK, EMPTY = range(3)
FULLY_QUALIFIED = [e for e, data in emoji.EMOJI_DATA.items() if data["status"] == emoji.STATUS["fully_qualified"]]
WORDS = {index: token for token, index in vocabulary().items()}


def ids_of(nickname: str) -> list[int]:
    """The tokens without padding."""
    tokens, present = prepare_text(nickname.encode())
    assert tokens.shape == (MAX_TOKENS,)
    assert tokens.dtype == np.int32
    assert isinstance(present, bool)
    ids = [int(token) for token in tokens if token != PAD]
    assert (tokens[len(ids) :] == PAD).all()
    return ids


def words_of(nickname: str) -> list[str]:
    return [WORDS[index] for index in ids_of(nickname)]


def is_missing(nickname: str) -> bool:
    tokens, present = prepare_text(nickname.encode())
    assert present == (tokens[0] != EMPTY)
    return not present


def test_special_token_ids_are_fixed() -> None:
    assert [WORDS[index] for index in range(len(SPECIAL_TOKENS))] == list(SPECIAL_TOKENS)
    assert tuple(vocabulary()[token] for token in ("<PAD>", "<UNK>", "<EMPTY>")) == (PAD, UNK, EMPTY)


def test_vocabulary_has_no_duplicates() -> None:
    assert sorted(vocabulary().values()) == list(range(len(WORDS)))


def test_one_token_per_character() -> None:
    assert words_of("小宝🌹 a1!") == ["小", "宝", "🌹", " ", "a", "1", "!"]


def test_every_emoji_is_one_token() -> None:
    assert len(FULLY_QUALIFIED) > 3900
    wrong = [e for e in FULLY_QUALIFIED if words_of(e) != [emoji_key(e)]]
    assert wrong == []


def test_vocabulary_has_every_emoji() -> None:
    keys = {emoji_key(e) for e in FULLY_QUALIFIED}
    assert len(keys) > 1900
    assert keys <= set(vocabulary())


def test_adjacent_emoji_stay_apart() -> None:
    family = FULLY_QUALIFIED[:MAX_TOKENS]
    assert words_of("".join(family)) == [emoji_key(e) for e in family]


@pytest.mark.parametrize(
    ("toned", "plain"), [("👩🏽‍🚀", "👩‍🚀"), ("👍🏿", "👍"), ("🧑🏻‍🤝‍🧑🏿", "🧑‍🤝‍🧑"), ("🤵🏼‍♀️", "🤵‍♀")]
)
def test_skin_tones_share_a_token(toned: str, plain: str) -> None:
    assert ids_of(toned) == ids_of(plain)


@pytest.mark.parametrize(("woman", "man"), [("👩‍🚀", "👨‍🚀"), ("🏃‍♀️", "🏃‍♂️"), ("👸", "🤴"), ("👭", "👬"), ("♀️", "♂️")])
def test_gendered_emoji_differ(woman: str, man: str) -> None:
    assert len(ids_of(woman)) == len(ids_of(man)) == 1
    assert ids_of(woman) != ids_of(man)


@pytest.mark.parametrize("symbol", ["❤", "☀", "♂", "⚽", "☕", "1⃣"])
def test_presentation_selector_changes_nothing(symbol: str) -> None:
    selected = symbol[0] + "\ufe0f" + symbol[1:]
    assert ids_of(selected) == ids_of(symbol)


@pytest.mark.parametrize(
    ("unknown", "word"),
    [
        ("👩‍🦖", "👩"),
        ("🏽", "<EMOJI>"),
        ("🇿🇿", "<EMOJI>"),
        ("\U0001f02c", "<EMOJI>"),
    ],
)
def test_unknown_emoji_fall_back(unknown: str, word: str) -> None:
    assert words_of(unknown) == [word]


@pytest.mark.parametrize(
    "nickname",
    [
        "",
        " ",
        "\u3000\t\n",
        "\u200b\u200d\ufeff",
        "\u3164",
        "\uffa0\u115f\u1160",
        "\u2800\u2800",
        "\u202e\u2066\u200f",
        "\ufe0f",
        "\u0301",
        "\x00\x1b",
        "\U000e0061",
    ],
)
def test_invisible_nickname_is_missing(nickname: str) -> None:
    assert is_missing(nickname)
    assert ids_of(nickname) == [EMPTY]


@pytest.mark.parametrize("nickname", ["微信用户", "  微信用户\n", "WeChat User"])
def test_sentinel_nickname_is_missing(nickname: str) -> None:
    assert is_missing(nickname)
    assert ids_of(nickname) == [EMPTY]


@pytest.mark.parametrize("nickname", ["微信用户一", "微信", "用户", ".", "❤", "🏽", "0"])
def test_other_nicknames_are_present(nickname: str) -> None:
    assert not is_missing(nickname)


def test_invisible_characters_give_no_token() -> None:
    assert ids_of("小\u200b宝\u3164") == ids_of("小宝")


def test_run_of_spaces_is_one_token() -> None:
    assert words_of("  a \u3000\t b ") == ["a", " ", "b"]


def test_truncation_keeps_whole_graphemes() -> None:
    assert ids_of("👩‍❤️‍💋‍👨" * 40) == ids_of("👩‍❤️‍💋‍👨") * MAX_TOKENS
    assert len(ids_of("a" * MAX_TOKENS)) == len(ids_of("a" * (MAX_TOKENS + 1))) == MAX_TOKENS


@pytest.mark.parametrize("name", ["Zoë", "Ångström", "김민준", "がぎぐ", "Nguyễn"])
def test_normal_forms_share_tokens(name: str) -> None:
    composed, decomposed = (unicodedata.normalize(form, name) for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert ids_of(composed) == ids_of(decomposed)


@pytest.mark.parametrize("written", ["JACK88", "jack88", "Ｊａｃｋ８８", "ＪＡＣＫ８８", "𝓙𝓪𝓬𝓴𝟠𝟠"])
def test_case_and_width_fold(written: str) -> None:
    assert words_of(written) == list("jack88")


@pytest.mark.parametrize(
    ("character", "word"),
    [
        ("\U00030000", "<RARE 0>"),
        ("龘", "<RARE 152>"),
        ("ꭓ", "<RARE 83>"),
        ("뷁", "<RARE 193>"),
        ("Ѩ", "<RARE 105>"),
        ("ༀ", "<RARE 0>"),
        ("੬", "<DIGIT>"),
        ("⁂", "<PUNCT>"),
        ("₿", "<SYMBOL>"),
        ("\U0010ffff", "<OTHER>"),
    ],
)
def test_unknown_character_gives_bucket_or_class(character: str, word: str) -> None:
    assert words_of(character) == [word]


def test_ordinary_characters_are_tokens_of_their_own() -> None:
    for character in "我的你是一不了在有人这上大来和個们爱猫梦想宇宙さくらサクラжяك":
        assert words_of(character) != [fallback(character)]


def test_rare_names_stay_apart() -> None:
    assert ids_of("龘靐") != ids_of("靐龘") != ids_of("齉靐")
    assert ids_of("龘") != ids_of("靐")


def test_stacked_marks_fall_back_to_base() -> None:
    assert words_of("a" + "\u0335\u0489" * 20) == ["a"]
    assert words_of("国" + "\u0321" * 300 + "强") == ["国", "强"]


def test_written_special_token_is_text() -> None:
    assert words_of("<PAD>") == list("<pad>")


@pytest.mark.parametrize(
    ("nickname", "start"), [(b"\xff", 0), (b"ab\xe5\x9b", 2), ("国".encode("gbk"), 0), (b"a\xed\xa0\x80", 1)]
)
def test_invalid_utf8(nickname: bytes, start: int) -> None:
    with pytest.raises(InvalidNickname, match=rf"^NICKNAME: not UTF-8 \(byte {start}: "):
        prepare_text(nickname)


def test_byte_limit() -> None:
    tokens, present = prepare_text(b"a" * MAX_NICKNAME_BYTES)
    assert present
    assert (tokens == vocabulary()["a"]).all()
    with pytest.raises(InvalidNickname, match=r"^NICKNAME: 4097 bytes, the limit is 4096$"):
        prepare_text(b"a" * (MAX_NICKNAME_BYTES + 1))


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=80))
def test_any_text_gives_tokens(nickname: str) -> None:
    ids = ids_of(nickname)
    assert ids
    assert max(ids) < len(vocabulary())
    assert (ids == [EMPTY]) == is_missing(nickname)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*"\u200d\ufe0f\u20e3\U0001f3fb🇦🇨♀👩🦰\u0301가é<\u3164 "]), max_size=40).map("".join))
@example("\u200d \u3164")
def test_any_emoji_parts_give_tokens(nickname: str) -> None:
    assert ids_of(nickname) == ([EMPTY] if is_missing(nickname) else tokenize(nickname)[:MAX_TOKENS])
    assert len(tokenize(nickname)) == len(segment(unicodedata.normalize("NFC", nickname)))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_refused_or_tokenized(nickname: bytes) -> None:
    try:
        tokens, _ = prepare_text(nickname)
    except InvalidNickname as exc:
        assert str(exc).startswith("NICKNAME: not UTF-8")
    else:
        assert nickname.decode() is not None
        assert tokens[0] != PAD
