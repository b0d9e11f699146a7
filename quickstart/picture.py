"""The predictions as a picture: avatars, and bars for probabilities and weights, labeled in English and Chinese."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure
from PIL import Image

from figures.canvas import SMALL, TITLE, Canvas
from figures.colors import COLORS
from figures.fonts import readable
from figures.save import save
from figures.style import theme
from genderprep import InvalidAvatar, prepare_image

from .inferences import Inference

COLUMNS: Final = 4
MAX_USERS: Final = 40
# Pixels.
WIDTH: Final = 900
CELL: Final = WIDTH // COLUMNS
HEADER, ROW, AVATAR, MARGIN, GAP = 76, 124, 64, 8, 8
BAR: Final = 10
AVATAR_PIXELS: Final = 2 * AVATAR
# Points.
LABEL: Final = 8.5
LEGEND: Final = {
    "probability 概率": {"male 男": "male", "female 女": "female"},
    "weight 权重": {"avatar 头像": "avatar", "nickname 昵称": "nickname"},
}


def save_picture(inferences: Sequence[Sequence[Inference]], file: Path) -> None:
    """Draw the first users, at most `MAX_USERS`, into a PNG file and its dark variant."""
    save(partial(draw_users, inferences[:MAX_USERS]), file)


def draw_users(inferences: Sequence[Sequence[Inference]]) -> Figure:
    """Draw users in rows of `COLUMNS`."""
    rows = -(-len(inferences) // COLUMNS)
    canvas = Canvas(WIDTH, HEADER + ROW * rows)
    canvas.text(MARGIN, 22, "Gender by avatar and nickname  由头像和昵称预测性别", TITLE)
    _draw_legend(canvas)
    for index, of_user in enumerate(inferences):
        row, column = divmod(index, COLUMNS)
        _draw_user(canvas, of_user, MARGIN + CELL * column, HEADER + ROW * row)
    return canvas.figure


def _draw_legend(canvas: Canvas) -> None:
    x, y = float(MARGIN), 50
    for bar, parts in LEGEND.items():
        canvas.text(x, y, f"{bar}:", SMALL, theme().muted)
        x += 104
        for label, thing in parts.items():
            canvas.box(x, y - BAR / 2, 22, BAR, COLORS[thing])
            canvas.text(x + 28, y, label, SMALL)
            x += 112
        x += 12


def _draw_user(canvas: Canvas, inferences: Sequence[Inference], x: float, y: float) -> None:
    user = inferences[0].user
    if user.nickname:
        canvas.text(x, y + 8, readable(user.nickname))
    else:
        canvas.text(x, y + 8, "no nickname 无昵称", color=theme().muted)
    _draw_avatar(canvas, user.avatar, x, y + 22)
    for index, inference in enumerate(inferences):
        _draw_inference(canvas, inference, x + AVATAR + GAP, y + 22 + 44 * index)


def _draw_avatar(canvas: Canvas, avatar: bytes | None, x: float, y: float) -> None:
    if not avatar:
        _draw_note(canvas, ("no avatar", "无头像"), x, y)
    elif image := read_avatar(avatar):
        canvas.image(x, y, AVATAR, image)
    else:
        _draw_note(canvas, ("unreadable", "无法读取"), x, y)


def read_avatar(avatar: bytes) -> Image.Image | None:
    """Return an avatar as the models see it, but larger; None if they cannot read it."""
    try:
        return Image.fromarray(prepare_image(avatar, AVATAR_PIXELS)[0])
    except InvalidAvatar:
        return None


def _draw_note(canvas: Canvas, lines: tuple[str, str], x: float, y: float) -> None:
    canvas.box(x, y, AVATAR, AVATAR, theme().faint)
    for index, line in enumerate(lines):
        canvas.text(x + AVATAR / 2, y + AVATAR / 2 - 8 + 18 * index, line, SMALL - 1, theme().muted, "center")


def _draw_inference(canvas: Canvas, inference: Inference, x: float, y: float) -> None:
    right = x + CELL - AVATAR - 3 * GAP
    canvas.text(x, y + 6, inference.backbone, LABEL, theme().muted)
    prediction = inference.prediction
    if prediction is None:
        canvas.text(x, y + 24, "rejected 已拒绝", LABEL)
        return
    probabilities, weights = prediction.probabilities, prediction.weights
    answer = "unknown" if prediction.gender == "unknown" else f"{prediction.gender} {prediction.probability:.2f}"
    canvas.text(right, y + 6, answer, LABEL, align="right")
    _stack(canvas, x, y + 15, right - x, {"male": probabilities.male, "female": probabilities.female})
    _stack(canvas, x, y + 27, right - x, {"avatar": weights.avatar, "nickname": weights.nickname})


def _stack(canvas: Canvas, x: float, y: float, width: float, shares: Mapping[str, float]) -> None:
    """Draw shares side by side, each in the color of its thing."""
    for thing, share in shares.items():
        canvas.box(x, y, width * share, BAR, COLORS[thing])
        x += width * share
