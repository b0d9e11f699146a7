"""Normalize nicknames before they are split into tokens, so that all spellings of a name give the same tokens.

First markup becomes characters (`markup.py`); then traditional, Japanese and variant Han characters become simplified;
then Latin letters lose accents and case, and small capitals and other letter forms become plain letters.
"""

import unicodedata
from functools import cache
from typing import Final

import regex

from .markup import decode_markup, tables

# Letters, and the letters in squares and circles that no compatibility form covers.
_LATIN: Final = regex.compile(r"[\p{Script=Latin}\U0001f130-\U0001f16f\U0001f172-\U0001f17d\U0001f180-\U0001f189]")
_ACCENTS: Final = regex.compile(r"(?<=\p{Script=Latin})\p{M}+")
# The plain letter in a Unicode name: `LATIN SMALL LETTER O WITH STROKE`, `LATIN LETTER SMALL CAPITAL A`.
_LETTER_NAME: Final = regex.compile(
    r".*?\b(?:SMALL CAPITAL|SMALL LETTER|CAPITAL LETTER|LETTER SMALL|LETTER CAPITAL) "
    r"(?:(?:TURNED|REVERSED|INVERTED|OPEN|DOTLESS|LONG|SCRIPT|BARRED|SIDEWAYS|CAPITAL|LETTER) )*"
    r"([A-Z]{1,2})(?: WITH .*)?"
)


def normalize(nickname: str) -> str:
    """Normalize a nickname: `國強` and `&#22283;強` give `国强`, `Xiǎo Měi` and `xɪᴀᴏ ᴍᴇɪ` give `xiao mei`."""
    text = unicodedata.normalize("NFC", decode_markup(nickname)).translate(_simplified())
    if _LATIN.search(text):
        text = _ACCENTS.sub("", unicodedata.normalize("NFD", text))
        text = unicodedata.normalize("NFC", _LATIN.sub(lambda match: _plain_letter(match[0]), text))
    return text


@cache
def _plain_letter(letter: str) -> str:
    """The ASCII letters that a Latin letter is a form of; other letters only lose their case."""
    folded = unicodedata.normalize("NFKC", letter).casefold()
    if folded.isascii():
        return folded
    match = _LETTER_NAME.fullmatch(unicodedata.name(letter, ""))
    return match[1].lower() if match else folded


@cache
def _simplified() -> dict[int, str]:
    """Simplified forms of traditional, Japanese and variant Han characters, by code point."""
    return {ord(source): target for source, target in tables()["simplified"].items()}
