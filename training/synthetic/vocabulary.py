"""Write `genderprep/vocab.json`: common Han characters, the characters of names, and every emoji.

    python -m training.synthetic.vocabulary --names FOLDER

Emoji are the most gendered characters of a nickname, so none may be out of vocabulary (article, section 2). Han
characters are the 3,500 commonest of jieba's dictionary (MIT); with them come characters of at least five names, kana,
and the lower-case letters, digits and punctuation of ASCII. `genderprep` hashes all other letters into buckets.
"""

import argparse
import json
import string
from collections import Counter
from collections.abc import Iterable
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Final

import emoji
import regex

from genderprep.text import emoji_key, segment
from genderprep.vocabulary import SPECIAL_TOKENS, VOCABULARY_FILE

from .name_tables import NameTable, NameTables, read_tables
from .open_words import jieba_dictionary, ornaments

HAN_CHARACTERS: Final = 3500
# Names that a character needs.
MIN_NAMES: Final = 5
_HAN: Final = regex.compile(r"\p{Script=Han}")
_KANA: Final = (*map(chr, range(0x3041, 0x3097)), *map(chr, range(0x30A1, 0x30FB)), "ー")


def emoji_keys() -> list[str]:
    """Return the keys of all fully-qualified emoji. Skin tones share one key."""
    qualified = (e for e, data in emoji.EMOJI_DATA.items() if data["status"] == emoji.STATUS["fully_qualified"])
    return sorted({emoji_key(e) for e in qualified})


def common_han(number: int) -> list[str]:
    """Return the commonest simplified Han characters of jieba's dictionary, by the frequency of their words."""
    counts: Counter[str] = Counter()
    for word, frequency, _ in jieba_dictionary():
        for character in segment(word):
            if _HAN.fullmatch(character):
                counts[character] += int(frequency)
    return [character for character, _ in counts.most_common(number)]


def name_characters(names: Iterable[str], min_names: int) -> list[str]:
    """Return the case-folded single characters of at least `min_names` names."""
    counts = Counter(character for name in names for character in {*segment(name)})
    folded = (character.casefold() for character, count in counts.items() if count >= min_names)
    return [character for character in folded if len(character) == 1]


def build_tokens(names: NameTables) -> list[str]:
    """Return all tokens; the position is the id."""
    tables = [getattr(names, field.name) for field in fields(names)]
    given_names = [name for table in tables if isinstance(table, NameTable) for name in table.weights]
    frames = {character for ornament in ornaments() for character in segment(ornament.format(""))}
    plain = {
        *(string.ascii_lowercase + string.digits + string.punctuation + " "),
        *common_han(HAN_CHARACTERS),
        *name_characters([*given_names, *names.surnames], MIN_NAMES),
        *_KANA,
        *frames,
    }
    emojis = emoji_keys()
    return [*SPECIAL_TOKENS, *sorted(plain - {*emojis}), *emojis]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=Path, required=True, help="folder of name lists")
    tokens = build_tokens(read_tables(parser.parse_args().names))
    content = {"emoji": f"emoji {version('emoji')}", "jieba": f"jieba {version('jieba')}", "tokens": tokens}
    VOCABULARY_FILE.write_text(json.dumps(content, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    print(f"{len(tokens)} tokens in {VOCABULARY_FILE}")


if __name__ == "__main__":
    main()
