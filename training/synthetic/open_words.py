"""Words of nicknames without limit: neutral words of dictionaries, and gendered ones with soft likelihoods.

Neutral words are those of jieba's dictionary (MIT) by the square root of their frequency, the English words of Faker's
texts and of Unicode's emoji names, and all emoji that show no gender. `foreign_words` has those of other languages.
"""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from math import sqrt
from typing import Final

import emoji
import regex
from faker.providers.lorem.en_US import Provider as Lorem

from genderprep.text import emoji_key

from . import words

# A word, and P(the word's gender | the word).
_LIKELIHOODS: Final[dict[str, dict[float, str]]] = {
    "male": {
        0.93: "先生 爸爸 老爹 爷们 大叔 叔叔 爷爷 老公 男生 男孩 汉子 mister gentleman dad daddy",
        0.88: "哥 叔 爸 少爷 大爷 王子 帅哥 小伙 大哥 老男孩 硬汉 猛男 男神 男人 man boy guy king prince father",
        0.83: "兄弟 公子 少侠 剑客 钓鱼佬 战狼 霸王 铁血 将军 老大 爵士 狼 侠 bro sir lord boss",
        0.78: "浪子 少年 大王 大侠 骑士 老板 酋长 虎 龙 hunter warrior ninja dragon wolf",
    },
    "female": {
        0.93: "妈妈 宝妈 女士 女孩 女生 老婆 奶奶 姑娘 美少女 美女 阿姨 女王 女神 少女 mom mommy lady mrs miss",
        0.88: "姐 妈 姨 妹 公主 仙女 小姐姐 小姐 妹妹 女人 妞 丫头 媳妇 girl woman queen princess mother",
        0.83: "少女心 小甜甜 樱桃小丸子 美人 娘 婆 小仙 宝贝女儿 甜心 玫瑰 sister sis babe beauty barbie",
        0.78: "奶茶 蝴蝶 樱桃 草莓 小可爱 花仙子 兔兔 喵 rose angel fairy bunny kitty sweet",
    },
}
_EMOJI: Final[dict[str, dict[float, str]]] = {
    "male": {0.88: "👨 👦 👴 🤴 🧔 ♂ 👬", 0.78: "⚽ 🏀 💪 🚗 🎮 🍺 🎣 🦁 🏍 🔧"},
    "female": {0.88: "👩 👧 👵 👸 ♀ 💄 👠 👗 👙 💅 👰 👭 🎀 💃", 0.78: "🌹 🌸 💕 💖 💗 👑 🦄 🍓 🦋 💐 🌷 🧚"},
}
# Words with an explicit gender are no neutral words.
_GENDERED: Final = regex.compile("[女男妈爸姐哥爷奶叔姨妹弟娘婆妇媳妻姑嫂婶舅爹]|公主|王子|先生|太太|老公|少年|兄弟")
_GENDERED_ENGLISH: Final = regex.compile(
    "(wo)?m[ae]n|boys?|girls?|s?he|hi[ms]|hers?|(him|her)self|(mo|fa)ther|son|daughter|brother|sister|husband|wife"
    "|prince(ss)?|king|queen|santa|m(r|rs|s)|lady|bride|(fe)?male"
)
_EMOJI_GENDER: Final = regex.compile("[♀♂👨👩👦👧👴👵🤴👸🧔👬👭👰🤵💃🕺🎅🤶]")


def gendered_words() -> dict[str, float]:
    """Return P(female | word) of titles and other gendered words."""
    return _p_female(_LIKELIHOODS)


def gendered_emoji() -> dict[str, float]:
    """Return P(female | emoji) of emoji that one gender uses more often, and of those that show a gender."""
    shown = {}
    for key in map(emoji_key, emoji.EMOJI_DATA):
        male, female = "♂" in key or "👨" in key, "♀" in key or "👩" in key
        if male != female:
            shown[key] = 0.88 if female else 0.12
    return shown | {emoji_key(each): p for each, p in _p_female(_EMOJI).items()}


@cache
def neutral_emoji() -> list[str]:
    """Return every fully-qualified emoji that neither shows a gender nor is used more by one."""
    gendered = gendered_emoji()
    qualified = {
        emoji_key(e) for e, data in emoji.EMOJI_DATA.items() if data["status"] == emoji.STATUS["fully_qualified"]
    }
    return sorted(key for key in qualified if key not in gendered and not _EMOJI_GENDER.search(key))


@cache
def chinese_words() -> dict[str, float]:
    """Return jieba's words with the square roots of their frequencies, without names of people and gendered words."""
    return {
        word: sqrt(int(frequency))
        for word, frequency, tag in jieba_dictionary()
        if not tag.startswith("nr") and len(word) <= 6 and not _GENDERED.search(word)
    }


def jieba_dictionary() -> Iterable[tuple[str, str, str]]:
    """Yield word, frequency and part of speech."""
    for line in (files("jieba") / "dict.txt").read_text(encoding="utf-8").splitlines():
        word, frequency, tag = line.rsplit(" ", 2)
        yield word, frequency, tag


@cache
def english_words() -> list[str]:
    """Return the words of Faker's English texts and of the English names of emoji."""
    named = {word for data in emoji.EMOJI_DATA.values() for word in regex.findall(r"[a-z]+", data["en"].lower())}
    every = named.union(map(str.lower, Lorem.word_list))
    return sorted(word for word in every if len(word) > 1 and not _GENDERED_ENGLISH.fullmatch(word))


def ornaments() -> tuple[str, ...]:
    """Return frames around a nickname, with `{}` in place of it."""
    return (
        *words.ORNAMENTS,
        "꧁{}꧂",
        "✿{}✿",
        "ღ{}",
        "{}ღ",
        "『{}』",
        "「{}」",
        "~{}~",
        "{}~",
        "·{}·",
        "【{}】",
        "♪{}",
        "{}…",
    )


def _p_female(likelihoods: dict[str, dict[float, str]]) -> dict[str, float]:
    return {
        word: likelihood if gender == "female" else 1 - likelihood
        for gender, by_likelihood in likelihoods.items()
        for likelihood, joined in by_likelihood.items()
        for word in joined.split()
    }
