"""Nicknames as people write them, composed from given names, nouns, sentiments, emoji and ornaments.

The word lists here are short and written for this project; longer lists of names are read by path.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from genderprep.contract import LABELS

ByGender = dict[str, tuple[str, ...]]

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


@dataclass(frozen=True)
class Names:
    """Given names by gender, each list with its weights: what `compose` draws from."""

    han: dict[str, tuple[Sequence[str], Sequence[float]]]
    latin: dict[str, Sequence[str]]

    def part(self, belongs: Callable[[str], bool]) -> "Names":
        """Only the names for which `belongs` holds; a list that would be empty stays whole."""
        han = {}
        for gender, (names, weights) in self.han.items():
            kept = [(n, w) for n, w in zip(names, weights, strict=True) if w and belongs(n)]
            han[gender] = ([n for n, _ in kept], [w for _, w in kept]) if kept else (names, weights)
        return Names(han, {g: [n for n in names if belongs(n)] or names for g, names in self.latin.items()})


def own_names() -> Names:
    """The project's own short lists."""
    return Names({g: (_HAN_NAMES[g], (1.0,) * len(_HAN_NAMES[g])) for g in LABELS}, dict(_LATIN_NAMES))


def read_names(folder: Path) -> Names:
    """Lists from `zh_full_names.csv` (name,n_male,n_female) and `latin_first_names.csv` (name,gender)."""
    full = [row for row in _rows(folder / "zh_full_names.csv") if len(row["name"]) in (2, 3)]
    latin = _rows(folder / "latin_first_names.csv")
    return Names(
        {g: ([r["name"][1:] for r in full], [float(r[f"n_{g}"]) for r in full]) for g in LABELS},
        {g: [r["name"] for r in latin if r["gender"] == g] for g in LABELS},
    )


def compose_gendered(gender: str, names: Names, dice: Random) -> str:
    """A nickname that hints at `gender`, more or less."""
    (name,) = dice.choices((_han, _latin, _title, _word, _emoji_name), weights=(45, 20, 10, 13, 12))
    return _decorate(name(gender, names, dice), gender, dice)


def compose_neutral(dice: Random) -> str:
    """A nickname that anybody could have."""
    base = dice.choice(_SENTIMENTS)
    if dice.random() < 0.3:
        base += dice.choice(_SHARED_EMOJI)
    if dice.random() < 0.15:
        base += str(dice.randint(1, 2025))
    return dice.choice(_ORNAMENTS).format(base) if dice.random() < 0.15 else base


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def _han(gender: str, names: Names, dice: Random) -> str:
    candidates, weights = names.han[gender]
    (given,) = dice.choices(candidates, weights)
    forms: tuple[Callable[[], str], ...] = (
        lambda: dice.choice(_SURNAMES) + given,
        lambda: given,
        lambda: "X" + given,
        lambda: dice.choice("小阿") + given[-1],
        lambda: given[-1] * 2,
        lambda: "小" + given,
    )
    (form,) = dice.choices(forms, weights=(35, 30, 5, 12, 10, 8))
    return form()


def _latin(gender: str, names: Names, dice: Random) -> str:
    name = dice.choice(names.latin[gender])
    handle = dice.choice((name, name, name.lower(), name.upper()))
    return handle + dice.choice(("", "", "_", ".")) + str(dice.randint(1, 2010)) if dice.random() < 0.35 else handle


def _title(gender: str, _: Names, dice: Random) -> str:
    trade = dice.choice(_TRADES) if dice.random() < 0.5 else ""
    return (
        ("AAA" if trade and dice.random() < 0.5 else "") + trade + dice.choice(_SURNAMES) + dice.choice(_TITLES[gender])
    )


def _word(gender: str, _: Names, dice: Random) -> str:
    return dice.choice(("", "", "小", "快乐的", "一个")) + dice.choice(_WORDS[gender])


def _emoji_name(gender: str, _: Names, dice: Random) -> str:
    return dice.choice(_SENTIMENTS) + "".join(dice.choices(_EMOJI[gender], k=dice.randint(1, 3)))


def _decorate(name: str, gender: str, dice: Random) -> str:
    if dice.random() < (0.3 if gender == "female" else 0.12):
        name += dice.choice(_EMOJI[gender] + _SHARED_EMOJI)
    return dice.choice(_ORNAMENTS).format(name) if dice.random() < 0.12 else name
