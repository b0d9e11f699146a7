"""Nicknames that have broken software before: encodings, directions, marks without end, joiners, code."""

from collections.abc import Iterator
from functools import partial
from random import Random

from . import Case, Expected

LIMIT = 4096
INVALID = {
    "a byte that starts nothing": b"\x80",
    "FF": b"\xff",
    "FE": b"ab\xfe",
    "two bytes cut": b"\xc3",
    "three bytes cut": "国".encode()[:2],
    "four bytes cut": "😀".encode()[:3],
    "overlong slash, two bytes": b"\xc0\xaf",
    "overlong slash, three bytes": b"\xe0\x80\xaf",
    "overlong slash, four bytes": b"\xf0\x80\x80\xaf",
    "overlong NUL": b"\xc0\x80",
    "a high surrogate": b"\xed\xa0\x80",
    "a low surrogate": b"\xed\xbf\xbf",
    "a pair of surrogates": b"\xed\xa0\xbd\xed\xb8\x80",
    "above the last code point": b"\xf4\x90\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "six bytes": b"\xfc\x84\x80\x80\x80\x80",
    "UTF-16 with its mark": "小美".encode("utf-16"),
    "GBK": "国强".encode("gbk"),
    "Latin-1": "Zoë".encode("latin-1"),
    "Shift JIS": "さくら".encode("shift-jis"),
    "a rest at the limit": b"a" * (LIMIT - 1) + b"\xe5",
}
TEXTS = {
    "NUL": "\0",
    "NUL inside": "ab\0cd",
    "every control character": "".join(map(chr, [*range(32), *range(127, 160)])),
    "carriage returns": "小\r\n美\r\n",
    "right to left": "\u202eevil\u202c",
    "directions never closed": "\u202a\u202b\u202d\u202e\u2066\u2067\u2068" * 150,
    "Arabic and Hebrew": "مرحبا שלום abc",
    "a ligature of eighteen": "\ufdfa" * 100,
    "marks without end": "a" + "\u0301" * 2000,
    "marks in the wrong order": "a" + "\u0301\u0316\u0327\u0345" * 500,
    "zalgo": "".join(c + "\u0335\u0489\u0300" * 6 for c in "he comes" * 10),
    "only marks": "\u0301" * 2000,
    "only joiners": "\u200d" * 1300,
    "a family without end": "👩\u200d" * 580,
    "joiners and selectors": "👩\u200d\ufe0f\u200d❤\ufe0f" * 200,
    "all emoji": "😀" * 1024,
    "flags without a partner": "🇦" * 1023,
    "skin tones alone": "🏽" * 1000,
    "tags without an end": "🏴" + "\U000e0067" * 1000,
    "keycaps": "1\ufe0f\u20e3" * 500,
    "Hangul letters": "\u1100\u1161\u11a8" * 400,
    "Hangul beginnings": "\u1100" * 1300,
    "Tibetan marks": "\u0f40" + "\u0f90" * 1300,
    "private use": "\ue000\uf8ff\U000f0000\U0010fffd",
    "not characters": "\ufffe\uffff\ufdd0\U0001ffff\U0010ffff",
    "replacement characters": "\ufffd" * 1000,
    "byte order marks": "\ufeff" * 1000,
    "the empty Braille cell": "\u2800" * 100,
    "spaces of all widths": "\u2000\u2001\u2002\u2003\u2009\u200a\u3000\u00a0\u1680",
    "Turkish letters": "İıŞşĞğ" * 100,
    "what grows when folded": "ßŉΐﬃ" * 200,
    "what grows when composed": "\U0001d160" * 500,
    "halfwidth forms": "ﾊﾝｶｸﾞ" * 100,
    "mathematical letters": "𝓙𝓪𝓬𝓴" * 200,
    "format": "%s%n%x{0}{x.__class__}$HOME`id`$(id)",
    "SQL": "Robert'); DROP TABLE users;--",
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "path": "../../../../etc/passwd\0.jpg",
    "template": "{{7*7}}${7*7}<%= 7*7 %>#{7*7}${jndi:ldap://x}",
    "JSON": '"},"inputs":[]}',
    "numbers": "1e309 NaN -Infinity 0x7fffffff 1/0",
    "names of nothing": "null undefined None true False nil",
    "special tokens": "<PAD><UNK><EMPTY><EMOJI><HAN>",
    "sentinel and more": "微信用户" * 300,
    "one character at the limit": "a" * LIMIT,
    "Chinese at the limit": "国" * (LIMIT // 3),
    "spaces at the limit": " " * LIMIT,
}


def cases(seed: int) -> Iterator[Case]:
    for name, content in INVALID.items():
        yield Case("not UTF-8", name, partial(bytes, content), Expected.REFUSAL)
    for size in (LIMIT + 1, 2 * LIMIT, 10**6, 10**7):
        yield Case("long", f"{size:,} bytes", partial(bytes, b"a" * size), Expected.REFUSAL)
    for name, text in TEXTS.items():
        yield Case("naughty", name, partial(bytes, text.encode()), Expected.ANSWER)
    dice = Random(seed)
    for number in range(40):
        yield Case("random characters", str(number), partial(_characters, dice.random()), Expected.ANSWER)
        yield Case("random bytes", str(number), partial(_bytes, dice.random()))


def _characters(seed: float) -> bytes:
    """Any code points but surrogates, up to the limit."""
    dice = Random(seed)
    points = (dice.choice((dice.randrange(0xD800), dice.randrange(0xE000, 0x110000))) for _ in range(1024))
    return "".join(map(chr, points)).encode()


def _bytes(seed: float) -> bytes:
    dice = Random(seed)
    return dice.randbytes(dice.choice((1, 2, 8, 100, LIMIT)))
