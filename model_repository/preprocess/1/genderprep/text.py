"""Tokenize nicknames: UTF-8 bytes in, the token ids that the text tower reads out.

Nicknames are normalized first (`normalize.py`). One token is one grapheme cluster (UAX 29), what a reader calls one
character. Every emoji is one token: gendered sequences (woman astronaut) stay whole; skin tones and presentation
selectors are dropped.
"""

import unicodedata
from collections.abc import Iterator
from typing import Final

import numpy as np
import regex
from numpy.typing import NDArray

from .errors import InvalidNickname, NicknameFault
from .limits import MAX_NICKNAME_BYTES
from .normalize import normalize
from .tensors import MAX_TOKENS
from .vocabulary import EMPTY, PAD, RARE_LETTERS, vocabulary

Tokens = NDArray[np.int32]  # [MAX_TOKENS]

# Nicknames that a platform gives to every user, normalized and without spaces. A number may follow.
SENTINEL_NICKNAMES: Final = ("微信用户", "wechatuser")

_CLUSTER: Final = regex.compile(r"\X")
_PRESENTATION: Final = regex.compile("[\ufe0f\U0001f3fb-\U0001f3ff]")
# Invisible: control and format characters, Hangul fillers, the empty Braille cell.
_INVISIBLE: Final = regex.compile(r"[\p{Cc}\p{Cf}\p{Cs}\p{M}\s\u115f\u1160\u3164\uffa0\u2800]+")
_EMOJI: Final = regex.compile(r"[\p{Extended_Pictographic}\p{Regional_Indicator}\p{Emoji_Modifier}]")
_LETTER: Final = regex.compile(r"\p{L}")
_CLASS_PATTERNS: Final = (
    ("<EMOJI>", _EMOJI),
    ("<DIGIT>", regex.compile(r"\p{N}")),
    ("<PUNCT>", regex.compile(r"\p{P}")),
    ("<SYMBOL>", regex.compile(r"\p{S}")),
)


def prepare_text(nickname: bytes) -> tuple[Tokens, bool]:
    """Tokenize a UTF-8 nickname.

    Returns:
        Token ids, int32 [MAX_TOKENS] padded with 0, and whether a nickname is present. A nickname without visible
        characters, or one that the platform gives to every user, counts as missing and becomes `<EMPTY>`.

    Raises:
        InvalidNickname: The nickname is not UTF-8, or longer than `MAX_NICKNAME_BYTES`.
    """
    text = normalize(_decode(nickname))
    ids = [] if _is_empty(text) else [token_id(cluster) for cluster in _clusters(text)[:MAX_TOKENS]]
    tokens = np.full(MAX_TOKENS, vocabulary()[PAD], np.int32)
    tokens[: max(1, len(ids))] = ids or [vocabulary()[EMPTY]]
    return tokens, bool(ids)


def tokenize(nickname: str) -> list[int]:
    """One id per visible grapheme cluster: `"小宝🌹"` gives three."""
    return [token_id(cluster) for cluster in segment(nickname)]


def segment(nickname: str) -> list[str]:
    """Normalized extended grapheme clusters (UAX 29) without invisible ones; a run of spaces is one cluster."""
    return _clusters(normalize(nickname))


def token_id(cluster: str) -> int:
    """The id of the first form of a cluster that the vocabulary has."""
    ids = vocabulary()
    return next(ids[form] for form in _forms(cluster) if form in ids)


def emoji_key(cluster: str) -> str:
    """A cluster without skin tone and presentation selector: `👩🏽‍🚀` and `👩‍🚀` share one key."""
    return _PRESENTATION.sub("", cluster)


def fallback(character: str) -> str:
    """The token of a code point that the vocabulary lacks: a letter's bucket, its code point modulo 256, or a class."""
    if _LETTER.match(character):
        return RARE_LETTERS[ord(character) % len(RARE_LETTERS)]
    return next((name for name, pattern in _CLASS_PATTERNS if pattern.match(character)), "<OTHER>")


def _is_empty(normalized: str) -> bool:
    visible = _INVISIBLE.sub("", normalized)
    return not visible or visible.rstrip("0123456789").rstrip("_-") in SENTINEL_NICKNAMES


def _clusters(normalized: str) -> list[str]:
    spaced = " ".join(normalized.split())
    return [c for c in _CLUSTER.findall(spaced) if c == " " or not _INVISIBLE.fullmatch(c)]


def _decode(nickname: bytes) -> str:
    if len(nickname) > MAX_NICKNAME_BYTES:
        raise InvalidNickname(NicknameFault.TOO_MANY_BYTES, f"{len(nickname)} bytes, the limit is {MAX_NICKNAME_BYTES}")
    try:
        return nickname.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise InvalidNickname(NicknameFault.NOT_UTF8, f"not UTF-8 (byte {exc.start}: {exc.reason})") from exc


def _forms(cluster: str) -> Iterator[str]:
    """Forms to look up, the most faithful first; the last is a fallback, which the vocabulary always has."""
    base = unicodedata.normalize("NFKC", cluster[0]).casefold()
    yield emoji_key(cluster)
    yield unicodedata.normalize("NFKC", cluster).casefold()
    yield base
    yield fallback(base[0])
