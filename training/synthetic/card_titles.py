"""Titles and greetings of cards, in Chinese and English, written for this project.

A title names the theme, sometimes the style, and sometimes neither: then it is a wish that fits any card.
"""

from random import Random
from typing import Final

GREETINGS: Final[dict[str, tuple[str, ...]]] = {
    "zh": (
        "早安",
        "晚安",
        "早上好",
        "新年快乐",
        "生日快乐",
        "周末愉快",
        "天天开心",
        "平安喜乐",
        "一切顺利",
        "节日快乐",
    ),
    "en": (
        "Good morning",
        "Good night",
        "Happy birthday",
        "Happy new year",
        "Have a nice day",
        "Sweet dreams",
        "Thank you",
    ),
}
_THEMES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "zh": {
        "sunrise": ("日出", "朝阳", "清晨的太阳"),
        "flowers": ("花开", "鲜花", "一束花"),
        "cat": ("小猫", "猫咪", "可爱的猫"),
        "dog": ("小狗", "狗狗", "忠诚的狗"),
        "mountains": ("雪山", "群山", "远山"),
        "sea": ("大海", "海上帆船", "海边"),
        "city": ("城市", "高楼", "都市夜色"),
        "car": ("汽车", "小轿车", "自驾出行"),
        "football": ("足球", "绿茵场", "射门"),
        "hearts": ("爱心", "红心", "满满的爱"),
        "cake": ("蛋糕", "生日蛋糕", "甜甜的蛋糕"),
        "moon": ("月亮", "弯月", "星空和月亮"),
        "lanterns": ("灯笼", "红灯笼", "元宵灯会"),
        "balloons": ("气球", "彩色气球", "放飞气球"),
        "coffee": ("咖啡", "一杯热咖啡", "早晨的咖啡"),
        "tree": ("大树", "果树", "一棵树"),
    },
    "en": {
        "sunrise": ("sunrise", "morning sun", "the sun comes up"),
        "flowers": ("flowers", "blossoms", "a bunch of flowers"),
        "cat": ("cat", "kitten", "a curious cat"),
        "dog": ("dog", "puppy", "a loyal dog"),
        "mountains": ("mountains", "snowy peaks", "far hills"),
        "sea": ("sea", "a sailing boat", "ocean waves"),
        "city": ("city", "skyline", "tall buildings"),
        "car": ("car", "road trip", "a car on the road"),
        "football": ("football", "a goal", "the football pitch"),
        "hearts": ("hearts", "love", "red hearts"),
        "cake": ("cake", "birthday cake", "a sweet cake"),
        "moon": ("moon", "crescent moon", "moon and stars"),
        "lanterns": ("lanterns", "red lanterns", "lantern festival"),
        "balloons": ("balloons", "colorful balloons", "balloons in the air"),
        "coffee": ("coffee", "a cup of coffee", "morning coffee"),
        "tree": ("tree", "apple tree", "a big tree"),
    },
}
_STYLES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "zh": {
        "flat": ("扁平", "扁平插画"),
        "line art": ("线稿", "简笔画"),
        "watercolor": ("水彩", "水彩画"),
        "pixel": ("像素", "像素风"),
        "dark": ("暗色", "深色夜景"),
        "pastel": ("柔和", "淡彩"),
    },
    "en": {
        "flat": ("flat", "flat design"),
        "line art": ("line art", "outline drawing"),
        "watercolor": ("watercolor", "watercolour painting"),
        "pixel": ("pixel art", "8-bit"),
        "dark": ("dark", "night mood"),
        "pastel": ("pastel", "soft colors"),
    },
}
_WISHES: Final[dict[str, tuple[str, ...]]] = {
    "zh": ("送给你", "祝福", "美好的一天", "问候卡", "分享给朋友"),
    "en": ("for you", "best wishes", "a lovely day", "greeting card", "share it with a friend"),
}
# Shares of titles that name the theme and the style.
_NAMES_THEME: Final = 0.85
_NAMES_STYLE: Final = 0.6


def compose_title(theme: str, style: str, greeting: str, language: str, rng: Random) -> str:
    """Compose a title of a card in `zh` or `en`."""
    parts = [greeting] if greeting else []
    if rng.random() < _NAMES_THEME:
        parts.append(rng.choice(_THEMES[language][theme]))
    if rng.random() < _NAMES_STYLE:
        parts.append(rng.choice(_STYLES[language][style]))
    if not parts or rng.random() < 0.4:
        parts.append(rng.choice(_WISHES[language]))
    rng.shuffle(parts)
    return ("，" if language == "zh" else ", ").join(parts)
