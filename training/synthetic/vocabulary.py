"""Write `genderprep/vocab.json`: frequent characters of names, and every emoji.

    python -m training.synthetic.vocabulary --names FOLDER

Emoji are the most gendered characters of a nickname, so none may be out of vocabulary (article, section 2). Other
characters must occur at least `--min-count` times.
"""

import argparse
import json
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from random import Random

import emoji

from genderprep.tensors import LABELS
from genderprep.text import emoji_key, segment
from genderprep.vocabulary import SPECIAL_TOKENS, VOCABULARY_FILE

from .nicknames import Names, compose, read_names


def emoji_keys() -> list[str]:
    """Return the keys of all fully-qualified emoji. Skin tones share one key."""
    qualified = (e for e, data in emoji.EMOJI_DATA.items() if data["status"] == emoji.STATUS["fully_qualified"])
    return sorted({emoji_key(e) for e in qualified})


def characters(nicknames: Iterable[str], min_count: int) -> list[str]:
    """Return the case-folded single characters that occur at least `min_count` times, in code point order."""
    counts = Counter(c for name in nicknames for c in segment(unicodedata.normalize("NFC", name).casefold()))
    return sorted(c for c, count in counts.items() if count >= min_count and len(c) == 1)


def build_tokens(nicknames: Iterable[str], min_count: int) -> list[str]:
    """Return all tokens; the position is the id."""
    plain = {*characters(nicknames, min_count), *string.ascii_lowercase, *string.digits, *string.punctuation, " "}
    emojis = emoji_keys()
    return [*SPECIAL_TOKENS, *sorted(plain - set(emojis)), *emojis]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=Path, required=True, help="folder of name lists")
    parser.add_argument("--min-count", type=int, default=5, help="occurrences that a character needs")
    args = parser.parse_args()
    tokens = build_tokens(_corpus(read_names(args.names)), args.min_count)
    content = {"emoji": f"emoji {version('emoji')}", "tokens": tokens}
    VOCABULARY_FILE.write_text(json.dumps(content, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    print(f"{len(tokens)} tokens in {VOCABULARY_FILE}")


def _corpus(names: Names) -> Iterable[str]:
    """Yield every name once, and composed nicknames for the characters around names."""
    rng = Random(0)
    for gender in LABELS:
        yield from names.han[gender]
        yield from names.latin[gender]
    for gender in (*LABELS, ""):
        yield from (compose(gender, names, rng).text for _ in range(5000))


if __name__ == "__main__":
    main()
