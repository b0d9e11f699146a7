"""Other spellings of a nickname, which `genderprep` normalizes to the same tokens."""

import html
from collections.abc import Callable
from random import Random
from typing import Final

import emoji
import regex
from opencc import OpenCC

SMALL_CAPITALS: Final = str.maketrans("abcdefghijklmnoprstuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ")
FULL_WIDTH: Final = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(33, 127)})
_ACCENTS: Final = str.maketrans("aeiouc", "áèîõüç")
_EMOJI: Final = regex.compile(r"\p{Extended_Pictographic}\ufe0f?")
_TRADITIONAL: Final = OpenCC("s2t")


def _span(text: str) -> str:
    return _EMOJI.sub(lambda match: f'<span class="emoji emoji{ord(match[0][0]):x}"></span>', text)


def _references(text: str) -> str:
    return "".join(f"&#{ord(character)};" if not character.isascii() else html.escape(character) for character in text)


def _escapes(text: str) -> str:
    return _EMOJI.sub(lambda match: "".join(rf"\U{ord(character):08x}" for character in match[0]), text)


SPELLINGS: Final[tuple[Callable[[str], str], ...]] = (
    *(_TRADITIONAL.convert, str.upper, str.title),
    *(lambda text: text.translate(SMALL_CAPITALS), lambda text: text.translate(FULL_WIDTH)),
    *(lambda text: text.translate(_ACCENTS), emoji.demojize, _span, _references, _escapes),
)


def respell(text: str, rng: Random) -> str:
    """Write a nickname in another spelling, drawn at random; many leave a nickname as it is."""
    return rng.choice(SPELLINGS)(text)
