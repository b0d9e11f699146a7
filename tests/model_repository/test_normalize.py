"""`genderprep.normalize` and `genderprep.markup`: pairs of a variant and its canonical form give the same tokens."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genderprep import prepare_text
from genderprep.normalize import normalize

ENGLAND = "🏴" + "".join(map(chr, (0xE0067, 0xE0062, 0xE0065, 0xE006E, 0xE0067, 0xE007F)))
SPAN = '<span class="emoji emoji1f338"></span>'

MARKUP = {
    # HTML of WeChat's web interface and of crawlers
    f"{SPAN}小美": "🌸小美",
    f"小{SPAN}美{SPAN}": "小🌸美🌸",
    "<span class='emoji emoji1f338'></span>小美": "🌸小美",
    "<SPAN CLASS=emoji1f338></SPAN>小美": "🌸小美",
    '<span class="emoji emoji1f1e81f1f3"></span>小美': "🇨🇳小美",
    '<span class="emoji emoji2764fe0f"></span>小美': "❤小美",
    '<span class="emoji emoji1f468200d1f4bb"></span>': "👨‍💻",
    '小美<span class="emoji emoji1f338': "小美🌸",
    '<span class="emoji emoji31fe0f20e3"></span>': "1️⃣",
    '<span class="emoji emojia9fe0f"></span>': "©️",
    '<span class="emoji emoji1f3f4e0067e0062e0065e006ee0067e007f"></span>': ENGLAND,
    '<img class="emoji" src="x" alt="🌸">小美': "🌸小美",
    '<img src="//cdn/emoji/1f338.png"/>小美': "🌸小美",
    "小美<br>": "小美",
    "小<br/>美": "小 美",
    "<b>小美</b>": "小美",
    '<font color="red">小美</font>': "小美",
    "<i></i>": "",
    # character references
    "&#127800;小美": "🌸小美",
    "&#127800小美": "🌸小美",
    "&#x1F338;小美": "🌸小美",
    "&#55356;&#57144;小美": "🌸小美",
    "&amp;#127800;小美": "🌸小美",
    "&amp;amp;#x1f338;小美": "🌸小美",
    "&hearts;小美&nbsp;": "♥小美",
    "&#23567;&#32654;": "小美",
    "Tom &amp; Jerry": "Tom & Jerry",
    "&lt;span class=&quot;emoji emoji1f338&quot;&gt;&lt;/span&gt;小美": "🌸小美",
    "小美&#0;&#xFFFFFF;": "小美",
    # escapes
    r"\ud83c\udf38小美": "🌸小美",
    r"\uD83C\uDF38小美": "🌸小美",
    r"\\ud83c\\udf38小美": "🌸小美",
    r"\U0001f338小美": "🌸小美",
    r"\u{1f338}小美": "🌸小美",
    r"\u5c0f\u7f8e": "小美",
    r"\xf0\x9f\x8c\xb8小美": "🌸小美",
    r"小美\n": "小美",
    r"小美\ud83c": "小美",
    # names between colons
    "小美:rose:": "小美🌹",
    "小美:cherry_blossom:": "小美🌸",
    ":Cherry_Blossom:小美": "🌸小美",
    ":玫瑰:小美": "🌹小美",
    ":wave::skin-tone-3:": "👋",
    ":AB_button_(blood_type):": "🆎",
    ":keycap_*:": "*️⃣",
    # chat programs
    "[玫瑰]小美": "🌹小美",
    "[Rose]小美": "🌹小美",
    "［玫瑰］小美": "🌹小美",
    "[太阳][月亮]": "☀🌙",
    "小美[em]e400123[/em]": "小美",
    "小美/玫瑰": "小美🌹",
    "/微笑小美": "🙂小美",
    "/::)小美": "🙂小美",
    "小美/:rose": "小美🌹",
    # private-use characters of phone carriers
    "小美\ue032": "小美🌹",
    "\ue63e小美": "☀小美",
    "\ue52a小美": "🐺小美",
    "小美\uf8ff\U000fe000": "小美",
}
CHARACTERS = {
    "國強": "国强",
    "陳麗華": "陈丽华",
    "張偉": "张伟",
    "桜沢": "樱泽",
    "靑山": "青山",
    "⼥孩": "女孩",
    "豈": "岂",
    "xiǎo měi": "xiao mei",
    "XIAO MEI": "xiao mei",
    "ᴀɴɴᴀ": "anna",
    "Ａｎｎａ": "anna",
    "Łukasz": "lukasz",
    "Søren": "soren",
    "Nguyễn Thị": "nguyen thi",
    "ɐnna": "anna",
    "İpek": "ipek",
    "Straße": "strasse",
    "🅽🅴🅰": "ne🅰",
}
LOOKALIKES = [
    "小雨<3",
    "r&b女孩",
    "at&t",
    "[一个人]",
    "【小美】",
    "12:30:45",
    "a<b>c",
    "<小美>",
    ">_<",
    "(*/ω＼*)",
    "他/她",
    "黑/色",
    "c:\\nice",
    "50%",
    "a:b",
    "&小美;",
    "芸",
    "乾坤",
]


def tokens(nickname: str) -> list[int]:
    return [int(token) for token in prepare_text(nickname.encode())[0]]


@pytest.mark.parametrize(("variant", "canonical"), (MARKUP | CHARACTERS).items())
def test_variant_gives_tokens_of_canonical(variant: str, canonical: str) -> None:
    assert tokens(variant) == tokens(canonical)


@pytest.mark.parametrize("text", LOOKALIKES)
def test_lookalike_stays(text: str) -> None:
    assert normalize(text) == text


@pytest.mark.parametrize(
    "sentinel",
    [
        "微信用户",
        "微信用戶",
        "微信用户123456",
        "微信 用户",
        "WeChat User",
        "wechat user",
        "WECHATUSER",
        "WeChat User_42",
        "ｗｅｃｈａｔ ｕｓｅｒ",
        "&#24494;信用户",
        "微信<br>用户",
    ],
)
def test_sentinel_is_missing_in_every_spelling(sentinel: str) -> None:
    assert not prepare_text(sentinel.encode())[1]


@pytest.mark.parametrize("nickname", ["微信", "微信用户小美", "wechat", "用户体验"])
def test_similar_nickname_is_present(nickname: str) -> None:
    assert prepare_text(nickname.encode())[1]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*MARKUP, *CHARACTERS, *LOOKALIKES, "<", ">", "&", "\\", "[", ":", "/"]), max_size=6))
def test_any_mixture_is_normalized(parts: list[str]) -> None:
    text = "".join(parts)
    assert len(normalize(text)) <= 4 * len(text) + 4


REPEATED = ("<", "&#", "[", ":", "\\u", "\\", "\\x41", "<span ", "/:", "&amp;", "[[", "<b>")
# Digits that are code points in more than one way, and a letter at the end that belongs to none.
AMBIGUOUS = ("1f001f000", "23fe0f20e3", "a9fe0f", "1f3f4e0067")


@pytest.mark.parametrize("text", [*(unit * 4096 for unit in REPEATED), "\\" * 4000 + "&amp;amp;amp;amp;lt;"])
def test_repeated_markup_ends(text: str) -> None:
    normalize(text[:4096])


@pytest.mark.timeout(20)
@pytest.mark.parametrize("points", AMBIGUOUS)
@pytest.mark.parametrize("end", ['g">', '">', ".pngx"])
def test_code_points_that_can_be_read_in_many_ways_end(points: str, end: str) -> None:
    for begin in ('<span class="emoji', '<img src="/'):
        normalize(begin + (points * 4096)[:4000] + end)
