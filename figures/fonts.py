"""The fonts of all plots: Latin letters, Chinese, emoji and symbols. They come from packages, not from the system."""

import unicodedata
from functools import cache
from importlib.resources import files
from typing import Final

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

_PACKAGED: Final = (
    ("manimgx_fonts", "NotoSans[wght].ttf"),
    ("notojp_matplotlib", "fonts/NotoSansCJKjp-Regular.otf"),
    ("manimgx_fonts", "NotoEmoji[wght].ttf"),
)
# Comes with matplotlib.
_SYMBOLS: Final = "DejaVu Sans"


@cache
def families() -> list[str]:
    """Return the families to draw text with; each character comes from the first that has it."""
    names = []
    for package, path in _PACKAGED:
        file = str(files(package).joinpath(path))
        font_manager.fontManager.addfont(file)
        names.append(FT2Font(file).family_name)
    return [*names, _SYMBOLS]


def readable(text: str) -> str:
    """Spell out the characters that no font has, such as `:thai character so sua:`."""
    return "".join(_drawable(character) for character in text)


def _drawable(character: str) -> str:
    if any(ord(character) in characters for characters in _characters()):
        return character
    invisible = unicodedata.category(character) in ("Mn", "Cf", "Cc")
    return "" if invisible else f":{unicodedata.name(character, 'unknown').lower()}:"


@cache
def _characters() -> list[frozenset[int]]:
    """Return the code points of each family."""
    return [frozenset(FT2Font(font_manager.findfont(family)).get_charmap()) for family in families()]
