"""Nicknames that commonly break text processing: invalid encodings, bidi, combining marks, joiners, code."""

from collections.abc import Iterator
from functools import partial
from random import Random

from .case import Case, Expected, cases_of

LIMIT = 4096
INVALID = {
    "continuation byte without a start": b"\x80",
    "FF": b"\xff",
    "FE": b"ab\xfe",
    "two-byte sequence, truncated": b"\xc3",
    "three-byte sequence, truncated": "国".encode()[:2],
    "four-byte sequence, truncated": "😀".encode()[:3],
    "overlong slash, two bytes": b"\xc0\xaf",
    "overlong slash, three bytes": b"\xe0\x80\xaf",
    "overlong slash, four bytes": b"\xf0\x80\x80\xaf",
    "overlong NUL": b"\xc0\x80",
    "high surrogate": b"\xed\xa0\x80",
    "low surrogate": b"\xed\xbf\xbf",
    "surrogate pair": b"\xed\xa0\xbd\xed\xb8\x80",
    "above U+10FFFF": b"\xf4\x90\x80\x80",
    "five-byte sequence": b"\xf8\x88\x80\x80\x80",
    "six-byte sequence": b"\xfc\x84\x80\x80\x80\x80",
    "UTF-16 with byte order mark": "小美".encode("utf-16"),
    "GBK": "国强".encode("gbk"),
    "Latin-1": "Zoë".encode("latin-1"),
    "Shift JIS": "さくら".encode("shift-jis"),
    "truncated sequence at the limit": b"a" * (LIMIT - 1) + b"\xe5",
}
TEXTS = {
    "NUL": "\0",
    "NUL inside": "ab\0cd",
    "every control character": "".join(map(chr, [*range(32), *range(127, 160)])),
    "carriage returns": "小\r\n美\r\n",
    "right to left": "\u202eevil\u202c",
    "unclosed bidi overrides": "\u202a\u202b\u202d\u202e\u2066\u2067\u2068" * 150,
    "Arabic and Hebrew": "مرحبا שלום abc",
    "ligature of eighteen letters": "\ufdfa" * 100,
    "2,000 combining marks": "a" + "\u0301" * 2000,
    "combining marks in non-canonical order": "a" + "\u0301\u0316\u0327\u0345" * 500,
    "zalgo": "".join(c + "\u0335\u0489\u0300" * 6 for c in "he comes" * 10),
    "only combining marks": "\u0301" * 2000,
    "only joiners": "\u200d" * 1300,
    "family of 580 members": "👩\u200d" * 580,
    "joiners and selectors": "👩\u200d\ufe0f\u200d❤\ufe0f" * 200,
    "all emoji": "😀" * 1024,
    "unpaired regional indicators": "🇦" * 1023,
    "skin tones without a base": "🏽" * 1000,
    "unterminated tag sequence": "🏴" + "\U000e0067" * 1000,
    "keycaps": "1\ufe0f\u20e3" * 500,
    "Hangul jamo": "\u1100\u1161\u11a8" * 400,
    "Hangul leading consonants": "\u1100" * 1300,
    "Tibetan marks": "\u0f40" + "\u0f90" * 1300,
    "private use": "\ue000\uf8ff\U000f0000\U0010fffd",
    "noncharacters": "\ufffe\uffff\ufdd0\U0001ffff\U0010ffff",
    "replacement characters": "\ufffd" * 1000,
    "byte order marks": "\ufeff" * 1000,
    "empty Braille cells": "\u2800" * 100,
    "spaces of every width": "\u2000\u2001\u2002\u2003\u2009\u200a\u3000\u00a0\u1680",
    "Turkish letters": "İıŞşĞğ" * 100,
    "characters that grow under case folding": "ßŉΐﬃ" * 200,
    "characters that grow under NFC": "\U0001d160" * 500,
    "halfwidth forms": "ﾊﾝｶｸﾞ" * 100,
    "mathematical letters": "𝓙𝓪𝓬𝓴" * 200,
    "format strings": "%s%n%x{0}{x.__class__}$HOME`id`$(id)",
    "SQL": "Robert'); DROP TABLE users;--",
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "path": "../../../../etc/passwd\0.jpg",
    "template": "{{7*7}}${7*7}<%= 7*7 %>#{7*7}${jndi:ldap://x}",
    "JSON": '"},"inputs":[]}',
    "numbers": "1e309 NaN -Infinity 0x7fffffff 1/0",
    "null literals": "null undefined None true False nil",
    "special tokens": "<PAD><UNK><EMPTY><EMOJI><HAN>",
    "repeated sentinel": "微信用户" * 300,
    "one character at the limit": "a" * LIMIT,
    "Chinese at the limit": "国" * (LIMIT // 3),
    "spaces at the limit": " " * LIMIT,
}


def cases(seed: int) -> Iterator[Case]:
    yield from cases_of("not UTF-8", INVALID, Expected.REFUSAL)
    for size in (LIMIT + 1, 2 * LIMIT, 10**6, 10**7):
        yield Case("long", f"{size:,} bytes", b"a" * size, Expected.REFUSAL)
    yield from cases_of("naughty", {name: text.encode() for name, text in TEXTS.items()}, Expected.ANSWER)
    rng = Random(seed)
    for number in range(40):
        yield Case("random characters", str(number), partial(_characters, rng.random()), Expected.ANSWER)
        yield Case("random bytes", str(number), partial(_bytes, rng.random()))


def _characters(seed: float) -> bytes:
    """Return any code points but surrogates, up to the limit."""
    rng = Random(seed)
    points = (rng.choice((rng.randrange(0xD800), rng.randrange(0xE000, 0x110000))) for _ in range(1024))
    return "".join(map(chr, points)).encode()


def _bytes(seed: float) -> bytes:
    rng = Random(seed)
    return rng.randbytes(rng.choice((1, 2, 8, 100, LIMIT)))
