"""Nicknames as people write them, composed from given names, nouns, sentiments, emoji and ornaments.

The word lists here are short and written for this project; longer lists of names are read by path. What each
nickname is evidence of is known exactly: every gendered part carries how likely it is for either gender,
and whatever surrounds it is equally likely for both.
"""

import csv
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Final

from genderprep.tensors import LABELS

from .strata import SAYS_NOTHING, Evidence

ByGender = dict[str, tuple[str, ...]]
# How likely something is for a man and for a woman.
Likelihoods = tuple[float, float]
Composed = tuple[str, Likelihoods]

_HAN_NAMES: Final[ByGender] = {
    "male": ("国强", "建军", "志伟", "浩然", "子轩", "大勇", "海涛", "俊杰", "永刚", "文博", "天宇", "铁柱"),
    "female": ("婷婷", "美玲", "雅琴", "梦瑶", "诗涵", "秀英", "丽娜", "雨欣", "晓燕", "佳怡", "淑芬", "紫嫣"),
}
_LATIN_NAMES: Final[ByGender] = {
    "male": ("Jack", "Kevin", "Tom", "Leo", "David", "Eric", "Bruce", "Peter", "Mike", "Jason"),
    "female": ("Lucy", "Emma", "Anna", "Lily", "Grace", "Vivian", "Cindy", "Mary", "Alice", "Sophia"),
}
_SURNAMES: Final = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_TITLES: Final[ByGender] = {
    "male": ("哥", "叔", "先生", "爷们", "大叔", "少爷", "爸爸", "老爹"),
    "female": ("姐", "姨", "女士", "妈妈", "宝妈", "小姐姐", "女神", "公主"),
}
_WORDS: Final[ByGender] = {
    "male": ("兄弟", "硬汉", "剑客", "老男孩", "钓鱼佬", "战狼", "霸王", "猛男", "铁血", "浪子", "King", "Mr.Right"),
    "female": (
        "仙女",
        "少女心",
        "小甜甜",
        "奶茶",
        "美少女",
        "玫瑰",
        "公主",
        "樱桃小丸子",
        "女王",
        "蝴蝶",
        "Queen",
        "甜心",
    ),
}
_EMOJI: Final[ByGender] = {
    "male": ("⚽", "🏀", "💪", "🚗", "🎮", "🍺", "🔥", "🎣", "🦁", "♂"),
    "female": ("🌹", "💄", "🌸", "💕", "🎀", "👑", "🦄", "🍓", "💅", "♀"),
}
_SHARED_EMOJI: Final = ("😊", "😂", "🌙", "⭐", "🍀", "☀️", "🐱", "👍", "🎵", "✨")
_TRADES: Final = ("建材", "物流", "房产", "保险", "茶叶", "汽修", "美容", "花店", "装修", "教育")
_SENTIMENTS: Final = (
    "青春永驻", "春夏秋冬", "随缘", "一切随风", "岁月静好", "平平淡淡", "知足常乐", "时光", "远方", "追梦人",
    "往事如烟", "心若止水", "一路向北", "晴天", "微风", "听雨", "寂寞", "回忆", "简单生活", "明天会更好",
    "Summer", "sunshine", "hello", "Dream", "moon", "free", "Lonely", "sky", "again", "echo",
)  # fmt: skip
_ORNAMENTS: Final = ("ゞ{}", "丶{}", "{}灬", "♡{}♡", "彡{}彡", "★{}★", "{}゛", "╰{}╯", "﹏{}", "乄{}", "ζ{}", "〆{}")


_HAN_FORMS: Final = (0.35, 0.3, 0.05, 0.12, 0.1, 0.08)
# Of the emoji that speak of a gender, how many women's are in the nicknames of women, and men's of men.
_OWN_EMOJI: Final = 0.85
# How many men and women end a nickname with an emoji.
_EMOJI_AT_END: Final = {"male": 0.12, "female": 0.3}


@dataclass(frozen=True)
class Nickname:
    text: str
    evidence: Evidence


@dataclass(frozen=True)
class Names:
    """Given names with weights (of Chinese full names) and first names, by gender: what nicknames are made of."""

    han: dict[str, dict[str, float]]
    latin: dict[str, Sequence[str]]

    @cached_property
    def han_cumulated(self) -> dict[str, tuple[list[str], list[float]]]:
        """By gender, names and running totals of their weights, as `Random.choices` takes them quickly."""
        return {gender: (list(names), list(accumulate(names.values()))) for gender, names in self.han.items()}

    @cached_property
    def han_endings(self) -> dict[str, dict[str, float]]:
        """By gender, the weights of the last characters."""
        endings: dict[str, dict[str, float]] = {gender: defaultdict(float) for gender in LABELS}
        for gender, names in self.han.items():
            for name, weight in names.items():
                endings[gender][name[-1]] += weight
        return endings

    @cached_property
    def latin_shares(self) -> dict[str, dict[str, float]]:
        """By gender, the share of each first name, whatever its case."""
        counts = {gender: Counter(name.casefold() for name in names) for gender, names in self.latin.items()}
        return {gender: {name: n / c.total() for name, n in c.items()} for gender, c in counts.items()}


def own_names() -> Names:
    """The project's own short lists."""
    return Names({g: _shares(dict.fromkeys(_HAN_NAMES[g], 1)) for g in LABELS}, dict(_LATIN_NAMES))


def read_names(folder: Path) -> Names:
    """Lists from `zh_full_names.csv` (name,n_male,n_female) and `latin_first_names.csv` (name,gender)."""
    neutral = {sentiment.casefold() for sentiment in _SENTIMENTS}
    han: dict[str, Counter[str]] = {gender: Counter() for gender in LABELS}
    for row in _rows(folder / "zh_full_names.csv"):
        given = row["name"][1:]
        if len(given) in (1, 2) and given not in neutral:
            for gender in LABELS:
                han[gender][given] += int(row[f"n_{gender}"])
    latin = [row for row in _rows(folder / "latin_first_names.csv") if row["name"].casefold() not in neutral]
    return Names(
        {gender: _shares(counts) for gender, counts in han.items()},
        {gender: [row["name"] for row in latin if row["gender"] == gender] for gender in LABELS},
    )


def compose(speaks_of: str, names: Names, dice: Random) -> Nickname:
    """A nickname that speaks of a gender, or of nobody if `speaks_of` is empty."""
    if not speaks_of:
        return Nickname(_neutral(dice), SAYS_NOTHING)
    (kind,) = dice.choices((_han, _latin, _title, _word, _emoji_name), weights=(45, 20, 10, 13, 12))
    text, likelihoods = kind(speaks_of, names, dice)
    if kind is not _emoji_name:
        text, likelihoods = _with_emoji(text, likelihoods, speaks_of, dice)
    return Nickname(_ornamented(text, 0.12, dice), Evidence(0, *likelihoods))


def _neutral(dice: Random) -> str:
    """What anybody could be called; a few are called nothing, or what the platform calls everybody."""
    fate = dice.random()
    if fate < 0.13:
        return "" if fate < 0.1 else "微信用户"
    base = dice.choice(_SENTIMENTS)
    if dice.random() < 0.3:
        base += dice.choice(_SHARED_EMOJI)
    if dice.random() < 0.15:
        base += str(dice.randint(1, 2025))
    return _ornamented(base, 0.15, dice)


def _shares(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items() if weight}


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def _han(gender: str, names: Names, dice: Random) -> Composed:
    population, totals = names.han_cumulated[gender]
    (given,) = dice.choices(population, cum_weights=totals)
    forms: tuple[Callable[[], str], ...] = (
        lambda: dice.choice(_SURNAMES) + given,
        lambda: given,
        lambda: "X" + given,
        lambda: dice.choice("小阿") + given[-1],
        lambda: given[-1] * 2,
        lambda: "小" + given,
    )
    (form,) = dice.choices(forms, _HAN_FORMS)
    text = form()
    return text, _both(lambda g: _han_likelihood(text, g, names))


def _han_likelihood(text: str, gender: str, names: Names) -> float:
    """How likely `_han` makes `text`, over all the forms that could have made it."""
    given, endings = names.han[gender], names.han_endings[gender]
    first, rest = text[0], text[1:]
    ways = (
        (first in _SURNAMES) * given.get(rest, 0) / len(_SURNAMES),
        given.get(text, 0),
        (first == "X") * given.get(rest, 0),
        (first in "小阿") * endings.get(rest, 0) / 2,
        (first == rest) * endings.get(first, 0),
        (first == "小") * given.get(rest, 0),
    )
    return sum(share * way for share, way in zip(_HAN_FORMS, ways, strict=True))


def _latin(gender: str, names: Names, dice: Random) -> Composed:
    name = dice.choice(names.latin[gender])
    likelihoods = _both(lambda g: names.latin_shares[g].get(name.casefold(), 0))
    handle = dice.choice((name, name, name.lower(), name.upper()))
    if dice.random() < 0.35:
        handle += dice.choice(("", "", "_", ".")) + str(dice.randint(1, 2010))
    return handle, likelihoods


def _title(gender: str, _: Names, dice: Random) -> Composed:
    trade = dice.choice(_TRADES) if dice.random() < 0.5 else ""
    prefix = "AAA" if trade and dice.random() < 0.5 else ""
    return prefix + trade + dice.choice(_SURNAMES) + dice.choice(_TITLES[gender]), _only(gender)


def _word(gender: str, _: Names, dice: Random) -> Composed:
    return dice.choice(("", "", "小", "快乐的", "一个")) + dice.choice(_WORDS[gender]), _only(gender)


def _emoji_name(gender: str, _: Names, dice: Random) -> Composed:
    emojis = [_gendered_emoji(gender, dice) for _ in range(dice.randint(1, 3))]
    likelihoods = _both(lambda g: math.prod(_emoji_likelihood(emoji, g) for emoji in emojis))
    return dice.choice(_SENTIMENTS) + "".join(emojis), likelihoods


def _with_emoji(text: str, likelihoods: Likelihoods, gender: str, dice: Random) -> Composed:
    if dice.random() >= _EMOJI_AT_END[gender]:
        return text, _times(likelihoods, _both(lambda g: 1 - _EMOJI_AT_END[g]))
    if dice.random() < 0.5:
        return text + dice.choice(_SHARED_EMOJI), _times(likelihoods, _both(lambda g: _EMOJI_AT_END[g]))
    emoji = _gendered_emoji(gender, dice)
    return text + emoji, _times(likelihoods, _both(lambda g: _EMOJI_AT_END[g] * _emoji_likelihood(emoji, g)))


def _gendered_emoji(gender: str, dice: Random) -> str:
    male, female = LABELS
    own = dice.random() < _OWN_EMOJI
    return dice.choice(_EMOJI[gender if own else {male: female, female: male}[gender]])


def _emoji_likelihood(emoji: str, gender: str) -> float:
    return _OWN_EMOJI if emoji in _EMOJI[gender] else 1 - _OWN_EMOJI


def _ornamented(text: str, probability: float, dice: Random) -> str:
    return dice.choice(_ORNAMENTS).format(text) if dice.random() < probability else text


def _both(likelihood: Callable[[str], float]) -> Likelihoods:
    male, female = (likelihood(gender) for gender in LABELS)
    return male, female


def _only(gender: str) -> Likelihoods:
    return _both(lambda g: float(g == gender))


def _times(a: Likelihoods, b: Likelihoods) -> Likelihoods:
    return a[0] * b[0], a[1] * b[1]
