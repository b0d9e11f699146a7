"""From the bytes of a nickname to the token ids that the text tower sees.

One token is one grapheme cluster, what a reader would call one character. Every emoji is a token of
its own: gendered sequences (woman astronaut) stay whole, skin tone and presentation selectors go.
"""

import json
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import regex
from numpy.typing import NDArray

from .contract import (
    EMPTY,
    MAX_NICKNAME_BYTES,
    MAX_TOKENS,
    PAD,
    SENTINEL_NICKNAMES,
    InvalidNickname,
    NicknameFault,
)

Tokens = NDArray[np.int32]

VOCABULARY_FILE: Final = Path(__file__).with_name("vocab.json")

_CLUSTER: Final = regex.compile(r"\X")
_PRESENTATION: Final = regex.compile("[\ufe0f\U0001f3fb-\U0001f3ff]")
# Drawn as nothing: control and format characters, Hangul fillers, the empty Braille cell.
_INVISIBLE: Final = regex.compile(r"[\p{Cc}\p{Cf}\p{Cs}\p{M}\s\u115f\u1160\u3164\uffa0\u2800]+")
_EMOJI: Final = regex.compile(r"[\p{Extended_Pictographic}\p{Regional_Indicator}\p{Emoji_Modifier}]")
_CLASS_PATTERNS: Final = (
    ("<HAN>", regex.compile(r"\p{Script=Han}")),
    ("<KANA>", regex.compile(r"[\p{Script=Hiragana}\p{Script=Katakana}\u30fc\uff70]")),
    ("<HANGUL>", regex.compile(r"\p{Script=Hangul}")),
    ("<DIGIT>", regex.compile(r"\p{N}")),
    ("<LATIN>", regex.compile(r"\p{Script=Latin}")),
    ("<CYRILLIC>", regex.compile(r"\p{Script=Cyrillic}")),
    ("<ARABIC>", regex.compile(r"\p{Script=Arabic}")),
    ("<PUNCT>", regex.compile(r"\p{P}")),
    ("<SYMBOL>", regex.compile(r"\p{S}")),
)


def prepare_text(nickname: bytes) -> tuple[Tokens, bool]:
    """Tokenize a UTF-8 nickname.

    Returns token ids, int32 [32] padded with 0, and whether there is a nickname at all: nothing
    visible, or a name that the platform hands out to everybody, counts as missing (`<EMPTY>`).

    Raises:
        InvalidNickname: not UTF-8, or longer than the limit of `contract`.
    """
    text = _decode(nickname)
    ids = [] if is_missing(text) else tokenize(text)[:MAX_TOKENS]
    tokens = np.full(MAX_TOKENS, vocabulary()[PAD], np.int32)
    tokens[: max(1, len(ids))] = ids or [vocabulary()[EMPTY]]
    return tokens, bool(ids)


def is_missing(nickname: str) -> bool:
    """Whether a nickname shows nothing or is one that the platform gives to everybody."""
    visible = _INVISIBLE.sub("", nickname)
    return not visible or visible in {_INVISIBLE.sub("", sentinel) for sentinel in SENTINEL_NICKNAMES}


def tokenize(nickname: str) -> list[int]:
    """One id for each visible grapheme cluster: `"小宝🌹"` gives three."""
    return [token_id(cluster) for cluster in segment(unicodedata.normalize("NFC", nickname))]


def segment(nickname: str) -> list[str]:
    """Extended grapheme clusters (UAX 29), without those that draw nothing; a run of spaces is one."""
    spaced = " ".join(nickname.split())
    return [c for c in _CLUSTER.findall(spaced) if c == " " or not _INVISIBLE.fullmatch(c)]


def token_id(cluster: str) -> int:
    """The id of one cluster: itself, its plainer forms, else the class of its script."""
    ids = vocabulary()
    return next(ids[form] for form in _forms(cluster) if form in ids)


@cache
def vocabulary() -> Mapping[str, int]:
    """Token to id, as `training.synthetic.vocabulary` wrote it."""
    tokens = json.loads(VOCABULARY_FILE.read_text(encoding="utf-8"))["tokens"]
    return {token: index for index, token in enumerate(tokens)}


def emoji_key(cluster: str) -> str:
    """A cluster without skin tone and emoji presentation: `👩🏽‍🚀` and `👩‍🚀` share one key."""
    return _PRESENTATION.sub("", cluster)


def script_class(character: str) -> str:
    """The class token of one code point, such as `<HAN>`."""
    return next((name for name, pattern in _CLASS_PATTERNS if pattern.match(character)), "<OTHER>")


def _decode(nickname: bytes) -> str:
    if len(nickname) > MAX_NICKNAME_BYTES:
        raise InvalidNickname(NicknameFault.TOO_MANY_BYTES, f"{len(nickname)} bytes, the limit is {MAX_NICKNAME_BYTES}")
    try:
        return nickname.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise InvalidNickname(NicknameFault.NOT_UTF8, f"not UTF-8 (byte {exc.start}: {exc.reason})") from exc


def _forms(cluster: str) -> Iterator[str]:
    """What to look up, the most faithful form first; the last is a class and always known."""
    yield emoji_key(cluster)
    yield unicodedata.normalize("NFKC", cluster).casefold()
    yield unicodedata.normalize("NFKC", cluster[0]).casefold()
    yield "<EMOJI>" if _EMOJI.match(cluster) else script_class(cluster[0])
