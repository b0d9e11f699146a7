"""The word lists of composed nicknames, written for this project."""

from typing import Final

ByGender = dict[str, tuple[str, ...]]

HAN_NAMES: Final[ByGender] = {
    "male": ("国强", "建军", "志伟", "浩然", "子轩", "大勇", "海涛", "俊杰", "永刚", "文博", "天宇", "铁柱"),
    "female": ("婷婷", "美玲", "雅琴", "梦瑶", "诗涵", "秀英", "丽娜", "雨欣", "晓燕", "佳怡", "淑芬", "紫嫣"),
}
LATIN_NAMES: Final[ByGender] = {
    "male": ("Jack", "Kevin", "Tom", "Leo", "David", "Eric", "Bruce", "Peter", "Mike", "Jason"),
    "female": ("Lucy", "Emma", "Anna", "Lily", "Grace", "Vivian", "Cindy", "Mary", "Alice", "Sophia"),
}
SURNAMES: Final = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
TITLES: Final[ByGender] = {
    "male": ("哥", "叔", "先生", "爷们", "大叔", "少爷", "爸爸", "老爹"),
    "female": ("姐", "姨", "女士", "妈妈", "宝妈", "小姐姐", "女神", "公主"),
}
WORDS: Final[ByGender] = {
    "male": ("兄弟", "硬汉", "剑客", "老男孩", "钓鱼佬", "战狼", "霸王", "猛男", "铁血", "浪子", "King", "Mr.Right"),
    "female": (
        "仙女", "少女心", "小甜甜", "奶茶", "美少女", "玫瑰", "公主", "樱桃小丸子", "女王", "蝴蝶", "Queen", "甜心",
    ),
}  # fmt: skip
EMOJI: Final[ByGender] = {
    "male": ("⚽", "🏀", "💪", "🚗", "🎮", "🍺", "🔥", "🎣", "🦁", "♂"),
    "female": ("🌹", "💄", "🌸", "💕", "🎀", "👑", "🦄", "🍓", "💅", "♀"),
}
SHARED_EMOJI: Final = ("😊", "😂", "🌙", "⭐", "🍀", "☀️", "🐱", "👍", "🎵", "✨")
TRADES: Final = ("建材", "物流", "房产", "保险", "茶叶", "汽修", "美容", "花店", "装修", "教育")
SENTIMENTS: Final = (
    "青春永驻", "春夏秋冬", "随缘", "一切随风", "岁月静好", "平平淡淡", "知足常乐", "时光", "远方", "追梦人",
    "往事如烟", "心若止水", "一路向北", "晴天", "微风", "听雨", "寂寞", "回忆", "简单生活", "明天会更好",
    "Summer", "sunshine", "hello", "Dream", "moon", "free", "Lonely", "sky", "again", "echo",
)  # fmt: skip
ORNAMENTS: Final = ("ゞ{}", "丶{}", "{}灬", "♡{}♡", "彡{}彡", "★{}★", "{}゛", "╰{}╯", "﹏{}", "乄{}", "ζ{}", "〆{}")
