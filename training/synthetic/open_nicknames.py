r"""Write nicknames of an open world, with soft labels.

    python -m training.synthetic.open_nicknames --names FOLDER --count 900000 --out runs/nicknames.parquet

A third are neutral: random words, handles, digits and emoji, with P(female) = 1/2. The others hold a name or a gendered
word, and two fifths of them a neutral part besides. `p_female` is the exact posterior, `gender` is drawn from it.
A hash of each name and word assigns its split, so validation and test hold names and words that no train row has. The
commonest names of every table are train rows only, because a model should know them; gendered words and emoji are in
every split, because there are few.
"""

import argparse
import string
from bisect import bisect
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from hashlib import sha256
from heapq import nlargest
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import pandas as pd
from pypinyin import lazy_pinyin

from genderprep.tensors import LABELS

from ..data.manifest import SPLITS
from . import open_words, words
from .foreign_words import UNSPACED, foreign_words
from .name_tables import NameTable, NameTables, read_tables
from .spelling import respell

# Shares of the splits among rows, and among names and words.
ROW_SHARES: Final = {"train": 0.96, "validation": 0.02, "test": 0.02}
PART_SHARES: Final = {"train": 0.9, "validation": 0.05, "test": 0.05}
# Share of the names of each table, the commonest, that are train rows only.
COMMON_NAMES: Final = 0.05
# Share of the nicknames whose name is that of their user, and not of a child, a partner or an idol.
OWN_NAME: Final = 0.95
IN_CONTEXT: Final = 0.42
GENDERED_EMOJI: Final = 0.08
RESPELLED: Final = 0.15
ORNAMENTED: Final = 0.06
_PUNCTUATION: Final = string.punctuation + "。，、！？…·～—：；（）《》「」【】"
# First and last letter of kana, Hangul, Cyrillic, Greek, Hebrew, Arabic, Devanagari and Thai.
_SCRIPTS: Final = ("あん", "アン", "가힣", "ая", "αω", "את", "بي", "अह", "กฮ")
_SEPARATORS: Final = ("", "", "", "", " ", " ", "_", "-", "·", ".", "の", "的", "❤", "/")


class OpenNickname(NamedTuple):
    """A nickname, P(female) given it, and the kind of its main part."""

    text: str
    p_female: float
    kind: str


@dataclass(frozen=True)
class Pool:
    """Items that are drawn by weight."""

    items: list[str]
    cumulative: list[float]

    def __post_init__(self) -> None:
        if not self.items:
            raise ValueError("expected names and words in every split, got none; use longer lists")

    def draw(self, rng: Random) -> str:
        return self.items[bisect(self.cumulative, rng.random() * self.cumulative[-1])]


def part_split(part: str) -> str:
    """Assign a split to a name or a word by its hash."""
    share = int.from_bytes(sha256(part.encode()).digest()[:4], "big") / 2**32
    return SPLITS[bisect(list(accumulate(PART_SHARES.values())), share)]


class OpenWorld:
    """Composes nicknames of one split."""

    def __init__(self, names: NameTables, split: str) -> None:
        tables = (names.han, names.han_endings, names.pinyin, names.latin, names.japanese, names.others)
        common = {name for table in tables for name in _commonest(table)}
        self._han, self._endings, self._pinyin, self._latin, self._japanese, self._others = (
            _restricted(table, split, common) for table in tables
        )
        self._surnames = _pool(names.surnames)
        self._latin_surnames = _pool({n: w for n, w in names.latin_surnames.items() if part_split(n) == split})
        self._chinese = _pool({w: weight for w, weight in open_words.chinese_words().items() if part_split(w) == split})
        self._english = [word for word in open_words.english_words() if part_split(word) == split]
        self._foreign = [
            (language, kept)
            for language, every in foreign_words().items()
            if (kept := [word for word in every if part_split(word) == split])
        ]
        self._emoji = [each for each in open_words.neutral_emoji() if part_split(each) == split]
        self._gendered_words = list(open_words.gendered_words().items())
        emoji = open_words.gendered_emoji()
        self._gendered_emoji = {
            gender: [(each, p) for each, p in emoji.items() if (p > 0.5) == (gender == "female")] for gender in LABELS
        }

    def compose(self, rng: Random) -> OpenNickname:
        """Compose a nickname, in whatever spelling."""
        (kind,) = rng.choices(list(_KINDS), [share for share, _ in _KINDS.values()])
        text, p_female = _KINDS[kind][1](self, rng)
        if kind != "neutral":
            if rng.random() < IN_CONTEXT:
                text = self._in_context(text, rng)
            if rng.random() < GENDERED_EMOJI:
                text, p_female = self._with_emoji(text, p_female, rng)
        if rng.random() < ORNAMENTED:
            text = rng.choice(open_words.ornaments()).format(text)
        return OpenNickname(respell(text, rng) if rng.random() < RESPELLED else text, p_female, kind)

    def neutral(self, rng: Random) -> tuple[str, float]:
        """Compose a nickname without gender."""
        (form,) = rng.choices(list(_NEUTRAL), list(_NEUTRAL.values()))
        text = form(self, rng)
        if rng.random() < 0.12:
            text += rng.choice(("", " ", "_")) + _digits(rng)
        if rng.random() < 0.2:
            emoji = "".join(rng.choices(self._emoji, k=rng.choice((1, 1, 1, 2, 3))))
            text = text + emoji if rng.random() < 0.8 else emoji + text
        return text, 0.5

    def _chinese_words(self, rng: Random) -> str:
        number = rng.choice((1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 6))
        separator = rng.choice(("", "", "", "", "", " ", "，", "、"))
        return separator.join(self._chinese.draw(rng) for _ in range(number))

    def _sentence(self, rng: Random) -> str:
        text, length = "", rng.randint(12, 34)
        while len(text) < length:
            text += self._chinese.draw(rng) + rng.choice(("", "", "", "", "，", " "))
        return text

    def _english_words(self, rng: Random) -> str:
        chosen = rng.choices(self._english, k=rng.choice((1, 1, 2, 2, 3, 4)))
        style = rng.choice((str.lower, str.lower, str.title, str.upper))
        return rng.choice((" ", " ", "", "_")).join(map(style, chosen))

    def _foreign_words(self, rng: Random) -> str:
        """Return one to three words of a language other than Chinese and English."""
        language, every = rng.choice(self._foreign)
        chosen = rng.choices(every, k=rng.choice((1, 1, 1, 2, 2, 3)))
        style = rng.choice((str.lower, str.lower, str.title, str.upper))
        return ("" if language in UNSPACED else rng.choice((" ", " ", " ", "_", ""))).join(map(style, chosen))

    def _emoji_only(self, rng: Random) -> str:
        return "".join(rng.choices(self._emoji, k=rng.randint(1, 6)))

    def _pinyin_words(self, rng: Random) -> str:
        return rng.choice(("", "", " ")).join(
            lazy_pinyin(self._chinese.draw(rng) + rng.choice(("", self._chinese.draw(rng))))
        )

    def _in_context(self, text: str, rng: Random) -> str:
        context = rng.choices(
            (self._chinese.draw(rng), rng.choice(self._english), _digits(rng), self._emoji_only(rng)), (4, 1.5, 2, 1.5)
        )[0]
        separator = rng.choice(_SEPARATORS)
        return text + separator + context if rng.random() < 0.5 else context + separator + text

    def _with_emoji(self, text: str, p_female: float, rng: Random) -> tuple[str, float]:
        gender = LABELS[rng.random() < p_female]
        if rng.random() < 0.15:
            gender = LABELS[gender == "male"]
        emoji, p_emoji = rng.choice(self._gendered_emoji[gender])
        return text + emoji, _combined(p_female, p_emoji)

    def _han_name(self, rng: Random) -> tuple[str, float]:
        if rng.random() < 0.25:
            ending, p_female = _name(self._endings, rng)
            return rng.choice(("小", "阿", "小", "大", "老", ending, ending)) + ending, p_female
        given, p_female = _name(self._han, rng)
        prefix = rng.choices((self._surnames.draw(rng), "", "小", "X", "@"), (50, 38, 6, 3, 3))[0]
        return prefix + given, p_female

    def _pinyin_name(self, rng: Random) -> tuple[str, float]:
        given, p_female = _name(self._pinyin, rng)
        surname = "".join(lazy_pinyin(self._surnames.draw(rng)))
        form = rng.choice(
            (given, given, f"{surname}{given}", f"{surname} {given}", f"{given} {surname}", f"{given}_{surname}")
        )
        return _handle(form, rng), p_female

    def _latin_name(self, rng: Random) -> tuple[str, float]:
        name, p_female = _name(self._latin, rng)
        initial = rng.choice(string.ascii_lowercase)
        (last,) = rng.choices((self._latin_surnames.draw(rng), initial, ""), (30, 10, 60))
        separator = rng.choice((" ", " ", " ", "_", ".", "")) if last else ""
        return _handle(name + separator + last, rng), p_female

    def _japanese_name(self, rng: Random) -> tuple[str, float]:
        name, p_female = _name(self._japanese, rng)
        return _handle(name, rng), p_female

    def _other_name(self, rng: Random) -> tuple[str, float]:
        return _name(self._others, rng)

    def _gendered_word(self, rng: Random) -> tuple[str, float]:
        word, p_female = rng.choice(self._gendered_words)
        if word.isascii():
            return _handle(word, rng), p_female
        prefix = rng.choice(("", "", "小", "一个", "AAA" + rng.choice(words.TRADES), self._surnames.draw(rng)))
        return prefix + word, p_female

    def _emoji_name(self, rng: Random) -> tuple[str, float]:
        emoji, p_female = rng.choice(self._gendered_emoji[rng.choice(LABELS)])
        return self._chinese.draw(rng) + emoji * rng.choice((1, 1, 1, 2, 3)), p_female


# The composers by kind, with their shares.
_KINDS: Final[dict[str, tuple[float, Callable[[OpenWorld, Random], tuple[str, float]]]]] = {
    "neutral": (0.33, OpenWorld.neutral),
    "word": (0.06, OpenWorld._gendered_word),
    "emoji": (0.02, OpenWorld._emoji_name),
    "han": (0.25, OpenWorld._han_name),
    "pinyin": (0.05, OpenWorld._pinyin_name),
    "latin": (0.22, OpenWorld._latin_name),
    "japanese": (0.04, OpenWorld._japanese_name),
    "other script": (0.03, OpenWorld._other_name),
}
_NEUTRAL: Final[dict[Callable[[OpenWorld, Random], str], float]] = {
    OpenWorld._chinese_words: 0.45,
    OpenWorld._sentence: 0.08,
    OpenWorld._english_words: 0.14,
    OpenWorld._foreign_words: 0.1,
    OpenWorld._emoji_only: 0.03,
    OpenWorld._pinyin_words: 0.05,
    lambda _, rng: _syllables(rng): 0.09,
    lambda _, rng: _digits(rng): 0.03,
    lambda _, rng: _punctuation(rng): 0.03,
}


def write_open_nicknames(names: NameTables, count: int, out: Path, seed: int) -> Path:
    """Write a manifest, Parquet, with about `count` nicknames; return the file."""
    rows = [row for split in SPLITS for row in _rows(names, split, round(count * ROW_SHARES[split]), seed)]
    out.parent.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(rows, columns=["nickname", "avatar", "gender", "split", "source", "p_female"])
    table.sample(frac=1, random_state=seed).to_parquet(out, index=False, row_group_size=2**16)
    return out


def _rows(names: NameTables, split: str, count: int, seed: int) -> Iterator[tuple[str, str, str, str, str, float]]:
    world, rng = OpenWorld(names, split), Random(f"{seed}/{split}")
    for _ in range(count):
        text, p_female, kind = world.compose(rng)
        yield text, "", LABELS[rng.random() < p_female], split, kind, round(p_female, 4)


def _commonest(table: NameTable) -> list[str]:
    return nlargest(round(COMMON_NAMES * len(table.weights)), table.weights, table.weights.__getitem__)


def _restricted(table: NameTable, split: str, common: Set[str]) -> tuple[Pool, dict[str, float]]:
    """Return the names of one split, to which `common` names belong if it is train, and P(female | name)."""
    names = (name for name in table.weights if split == ("train" if name in common else part_split(name)))
    return _pool({name: table.weights[name] for name in names}), table.p_female


def _pool(weights: dict[str, float]) -> Pool:
    return Pool(list(weights), list(accumulate(weights.values())))


def _name(table: tuple[Pool, dict[str, float]], rng: Random) -> tuple[str, float]:
    """Draw a name; return it with P(female) of a user who writes it."""
    pool, p_female = table
    name = pool.draw(rng)
    return name, OWN_NAME * p_female[name] + (1 - OWN_NAME) * (1 - p_female[name])


def _combined(first: float, second: float) -> float:
    """Return P(female) given two independent pieces of evidence, with equally likely genders."""
    female, male = first * second, (1 - first) * (1 - second)
    return female / (female + male)


def _handle(name: str, rng: Random) -> str:
    text = rng.choice((name, name, name.title(), name.title(), name.upper()))
    return text + rng.choice(("", "", "_", ".")) + _digits(rng) if rng.random() < 0.25 else text


def _digits(rng: Random) -> str:
    return str(
        rng.choice((rng.randint(0, 99), rng.randint(1950, 2025), rng.randint(100, 9999), rng.randint(10**4, 10**10)))
    )


def _punctuation(rng: Random) -> str:
    """Return one mark, once or repeated, or several."""
    kinds = 1 if rng.random() < 0.6 else 3
    return "".join(rng.choices(rng.choices(_PUNCTUATION, k=kinds), k=rng.randint(1, 6)))


def _syllables(rng: Random) -> str:
    """Return a made-up word: in Latin letters or another script."""
    number = rng.randint(2, 4)
    form = rng.random()
    if form < 0.75:
        return "".join(
            rng.choice("bcdfghjklmnprstvwxyz") + rng.choice("aeiou") + rng.choice(("", "", "n", "r", "s"))
            for _ in range(number)
        )
    first, last = rng.choice(_SCRIPTS)
    return "".join(chr(rng.randint(ord(first), ord(last))) for _ in range(2 * number - 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=Path, required=True, help="folder of name lists")
    parser.add_argument("--out", type=Path, required=True, help="Parquet file")
    parser.add_argument("--count", type=int, default=900_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    print(write_open_nicknames(read_tables(args.names), args.count, args.out, args.seed))


if __name__ == "__main__":
    main()
