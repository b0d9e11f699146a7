"""The predictions as a picture: avatars, and bars for probabilities and weights, labeled in English and Chinese."""

import unicodedata
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Final

import matplotlib
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ft2font import FT2Font
from matplotlib.patches import Patch
from PIL import Image, ImageOps

from .inferences import Inference

LATIN_FONT: Final = "DejaVu Sans"
MALE, FEMALE, AVATAR, NICKNAME = "#4c78a8", "#e45756", "#72b7b2", "#f2a541"
LEGEND: Final = {"male 男": MALE, "female 女": FEMALE, "avatar 头像": AVATAR, "nickname 昵称": NICKNAME}
COLUMNS: Final = 4
MAX_USERS: Final = 40
MIN_LABELED_WIDTH: Final = 0.2
AVATAR_SIZE: Final = (132, 132)


def save_picture(inferences: Sequence[Sequence[Inference]], file: Path) -> None:
    """Draw the first users, at most `MAX_USERS`, into a PNG file."""
    inferences = inferences[:MAX_USERS]
    rows = -(-len(inferences) // COLUMNS)
    with matplotlib.rc_context({"font.family": text_fonts()}):
        figure = Figure(figsize=(3.9 * COLUMNS, 1.75 * rows + 0.9), layout="constrained")
        figure.suptitle("Gender by avatar and nickname  由头像和昵称预测性别", x=0.005, ha="left", fontsize=15)
        handles = [Patch(color=color, label=label) for label, color in LEGEND.items()]
        figure.legend(handles=handles, loc="upper right", ncols=len(LEGEND), frameon=False, fontsize=10)
        cells = figure.subfigures(rows, COLUMNS, wspace=0.04, hspace=0.03, squeeze=False)
        for cell, of_user in zip(cells.flat, inferences, strict=False):
            _draw_user(cell, of_user)
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, dpi=110)


@cache
def _fonts() -> tuple[FT2Font, ...]:
    """Latin and symbols first, then Chinese, Japanese and Korean. Each glyph comes from the first font that has it."""
    cjk = str(files("notojp_matplotlib").joinpath("fonts", "NotoSansCJKjp-Regular.otf"))
    font_manager.fontManager.addfont(cjk)
    return FT2Font(font_manager.findfont(LATIN_FONT)), FT2Font(cjk)


def text_fonts() -> list[str]:
    """The families to draw text with, in order."""
    return [font.family_name for font in _fonts()]


def readable(nickname: str) -> str:
    """Spell out the characters that no font has, which are most emoji: `小美:cherry blossom:`."""
    return "".join(_drawable(character) for character in nickname)


def _drawable(character: str) -> str:
    if any(ord(character) in font.get_charmap() for font in _fonts()):
        return character
    invisible = unicodedata.category(character) in ("Mn", "Cf", "Cc")
    return "" if invisible else f":{unicodedata.name(character, 'unknown').lower()}:"


def _draw_user(cell: SubFigure, inferences: Sequence[Inference]) -> None:
    portrait, bars = cell.subplots(1, 2, width_ratios=(1, 1.7))
    user = inferences[0].user
    _draw_avatar(portrait, user.avatar)
    name, color = (readable(user.nickname), "black") if user.nickname else ("no nickname 无昵称", "grey")
    cell.suptitle(name, x=0.02, ha="left", fontsize=11, color=color)
    bars.set(xlim=(0, 1), ylim=(-0.6, 2 * len(inferences) - 0.2))
    bars.axis("off")
    for line, inference in enumerate(reversed(inferences)):
        _draw_bars(bars, inference, bottom=2 * line)


def _draw_avatar(axes: Axes, avatar: bytes | None) -> None:
    axes.axis("off")
    image, note = Image.new("RGBA", AVATAR_SIZE, "#f2f2f2"), "no avatar 无头像"
    if avatar is not None:
        try:
            image, note = ImageOps.exif_transpose(Image.open(BytesIO(avatar))).convert("RGBA"), ""
        except OSError:
            note = "not an image 不是图片"
    on_white = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    axes.imshow(ImageOps.fit(on_white, AVATAR_SIZE))
    axes.text(AVATAR_SIZE[0] / 2, AVATAR_SIZE[1] / 2, note, ha="center", va="center", color="grey", fontsize=9)


def _draw_bars(axes: Axes, inference: Inference, bottom: float) -> None:
    prediction = inference.prediction
    if prediction is None:
        axes.text(0, bottom + 0.8, f"{inference.backbone}: rejected 已拒绝", fontsize=8, color="grey")
        return
    probabilities, weights = prediction.probabilities, prediction.weights
    axes.text(
        0, bottom + 1.35, f"{inference.backbone}: {prediction.gender}", fontsize=8.5, weight="bold", family=LATIN_FONT
    )
    _stack(axes, bottom + 0.85, {MALE: probabilities.male, FEMALE: probabilities.female})
    _stack(axes, bottom + 0.3, {AVATAR: weights.avatar, NICKNAME: weights.nickname})


def _stack(axes: Axes, y: float, values: dict[str, float]) -> None:
    """Draw values side by side in the colors that are their keys."""
    left = 0.0
    for color, value in values.items():
        axes.barh(y, value, left=left, height=0.48, color=color)
        if value > MIN_LABELED_WIDTH:
            axes.text(left + value / 2, y - 0.02, f"{value:.2f}", ha="center", va="center", fontsize=7, color="white")
        left += value
