"""The answers as a picture: avatars, and bars for probability and weights."""

import unicodedata
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import matplotlib
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageOps

from .answers import MODELS, Answer

LATIN: Final = "DejaVu Sans"
MALE, FEMALE, AVATAR, NICKNAME = "#4c78a8", "#e45756", "#72b7b2", "#f2a541"
COLUMNS: Final = 4
MOST_SAMPLES: Final = 40


def save_picture(answers: Sequence[Answer], file: Path) -> None:
    """Draw the first samples, at most 40, into a PNG file."""
    by_sample = [answers[i : i + len(MODELS)] for i in range(0, len(answers), len(MODELS))][:MOST_SAMPLES]
    rows = -(-len(by_sample) // COLUMNS)
    with matplotlib.rc_context({"font.family": [font.family_name for font in _fonts()]}):
        figure = Figure(figsize=(3.9 * COLUMNS, 1.75 * rows + 0.9), layout="constrained")
        figure.suptitle("Who is behind avatar and nickname? A guess, always with its probability", fontsize=15)
        cells: Any = figure.subfigures(rows, COLUMNS, wspace=0.04, hspace=0.03, squeeze=False)
        for cell, of_sample in zip(cells.flat, by_sample, strict=False):
            _draw_sample(cell, of_sample)
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, dpi=110)


@cache
def _fonts() -> tuple[FT2Font, ...]:
    """Latin and symbols, then Chinese, Japanese and Korean: taken glyph by glyph, in this order."""
    cjk = str(files("notojp_matplotlib").joinpath("fonts", "NotoSansCJKjp-Regular.otf"))
    font_manager.fontManager.addfont(cjk)
    return FT2Font(font_manager.findfont(LATIN)), FT2Font(cjk)


def _readable(nickname: str) -> str:
    """The nickname with what no font here can draw, most emoji, spelled out: `小美:cherry blossom:`."""
    return "".join(_drawable(character) for character in nickname)


def _drawable(character: str) -> str:
    if any(ord(character) in font.get_charmap() for font in _fonts()):
        return character
    invisible = unicodedata.category(character) in ("Mn", "Cf", "Cc")
    return "" if invisible else f":{unicodedata.name(character, 'unknown').lower()}:"


def _draw_sample(cell: Any, answers: Sequence[Answer]) -> None:
    portrait, bars = cell.subplots(1, 2, width_ratios=(1, 1.7))
    sample = answers[0].sample
    _draw_avatar(portrait, sample.avatar)
    name = _readable(sample.nickname) if sample.nickname else "(no nickname)"
    cell.suptitle(name, x=0.02, ha="left", fontsize=11, color="black" if sample.nickname else "grey")
    bars.set(xlim=(0, 1), ylim=(-0.6, 2 * len(MODELS) - 0.2))
    bars.axis("off")
    for line, answer in enumerate(answers):
        _draw_bars(bars, answer, top=2 * (len(MODELS) - 1 - line))


def _draw_avatar(axes: Axes, avatar: bytes | None) -> None:
    axes.axis("off")
    picture, note = Image.new("RGBA", (132, 132), "#f2f2f2"), "no avatar"
    if avatar is not None:
        try:
            picture, note = ImageOps.exif_transpose(Image.open(BytesIO(avatar))).convert("RGBA"), ""
        except OSError:
            note = "not a picture"
    on_white = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    axes.imshow(ImageOps.fit(on_white, (132, 132)))
    axes.text(66, 66, note, ha="center", va="center", color="grey", fontsize=9)


def _draw_bars(axes: Axes, answer: Answer, top: float) -> None:
    name = answer.model.removeprefix("gender_")
    prediction = answer.prediction
    if prediction is None:
        axes.text(0, top + 0.8, f"{name}: refused", fontsize=8, color="grey")
        return
    axes.text(0, top + 1.35, f"{name}: {prediction.gender}", fontsize=8.5, weight="bold", family=LATIN)
    _stack(axes, top + 0.85, (prediction.probabilities.male, MALE, "m"), (prediction.probabilities.female, FEMALE, "f"))
    _stack(
        axes, top + 0.3, (prediction.weights.avatar, AVATAR, "avatar"), (prediction.weights.nickname, NICKNAME, "name")
    )


def _stack(axes: Axes, y: float, *parts: tuple[float, str, str]) -> None:
    left = 0.0
    for value, colour, label in parts:
        axes.barh(y, value, left=left, height=0.48, color=colour)
        if value > 0.22:
            axes.text(
                left + value / 2, y - 0.02, f"{label} {value:.2f}", ha="center", va="center", fontsize=7, color="white"
            )
        left += value
