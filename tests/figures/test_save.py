"""A plot is written in light and in dark, small and without boxes for characters."""

import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from figures.axes import labels_right, legend_above, legend_beside, log_x, log_y, shared_legend
from figures.canvas import Canvas
from figures.colors import BLUE
from figures.fonts import readable
from figures.markdown import picture
from figures.save import dark, save
from figures.style import DARK, LIGHT, WIDTH, style, theme
from training.synthetic.sample_users import sample_users

Pixels = NDArray[np.uint8]  # [H, W, 3]
NICKNAMES = [user.nickname for user in sample_users() if user.nickname]


def bars() -> Figure:
    figure = Figure(figsize=(WIDTH, 2))
    figure.subplots().bar(["小美🌸"], [1], color=BLUE)
    return figure


def test_both_variants_are_written(tmp_path: Path) -> None:
    file = tmp_path / "out" / "bars.png"
    save(bars, file)
    for written, paper in ((file, LIGHT.paper), (dark(file), DARK.paper)):
        with Image.open(written) as image:
            assert image.size == (900, 200)
            red, green, blue = image.convert("RGB").getpixel((0, 0))  # type: ignore[misc]
            assert f"#{red:02x}{green:02x}{blue:02x}" == paper
    assert dark(file).name == "bars.dark.png"
    assert sorted(each.name for each in file.parent.iterdir()) == ["bars.dark.png", "bars.png"]


def test_the_same_plot_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        save(bars, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("nickname", [*NICKNAMES, "👩‍🚀🏳️‍🌈", "한국어", "Ünïcödé"])
def test_characters_and_emoji_have_glyphs(nickname: str) -> None:
    assert readable(nickname) == nickname
    canvas_with_text(nickname)


def test_characters_without_glyph_are_spelled_out() -> None:
    assert readable("ab\u0e2a\x07") == "ab:thai character so sua:"


def canvas_with_text(text: str) -> Pixels:
    """The pixels of a text. A missing glyph is a warning of matplotlib, which is an error here."""
    with style(LIGHT), warnings.catch_warnings():
        warnings.simplefilter("error")
        canvas = Canvas(200, 40)
        canvas.text(10, 20, text)
        return rendered(canvas.figure)


def rendered(figure: Figure) -> Pixels:
    content = BytesIO()
    figure.savefig(content)
    return np.asarray(Image.open(content).convert("RGB"))


def test_canvas_draws_where_it_is_told() -> None:
    with style(LIGHT):
        canvas = Canvas(100, 50)
        canvas.image(60, 20, 20, Image.new("RGB", (8, 8), "red"))
        canvas.box(10, 5, 30, 10, "#0000ff")
        pixels = rendered(canvas.figure)
    assert pixels.shape == (50, 100, 3)
    assert pixels[10, 20].tolist() == [0, 0, 255]
    assert pixels[30, 70].tolist() == [255, 0, 0]
    assert pixels[40:, :50].min() == 255
    # A dollar sign starts no formula.
    assert canvas_with_text("$a$ $b").min() < 255


def test_theme_is_that_of_the_style() -> None:
    assert theme() == LIGHT
    with style(DARK):
        assert theme() == DARK
    assert theme() == LIGHT


def test_legends_and_labels_cover_no_data() -> None:
    with style(LIGHT):
        figure = Figure(figsize=(WIDTH, 4))
        above, beside, shared = figure.subplots(3, 1)
        for axes in (above, beside, shared):
            axes.plot([1, 20], [5, 700], label="line")
        legend_above(above)
        legend_beside(beside)
        shared_legend(figure)
        labels_right(shared, ["one"])
        log_y(shared)
        log_x(above, [1, 4, 16])
        rendered(figure)
    boxes = [axes.get_legend().get_window_extent() for axes in (above, beside)]
    boxes.append(figure.legends[0].get_window_extent())
    frames = [axes.get_window_extent() for axes in (above, beside, shared)]
    assert [box.overlaps(frame) for box in boxes for frame in frames] == [False] * 9
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["line"]
    labels = [label.get_text() for label in shared.get_yticklabels()]
    assert {"5", "10", "50", "100"} <= set(labels)
    assert [label.get_text() for label in above.get_xticklabels()] == ["1", "4", "16"]


def test_document_shows_both_variants() -> None:
    assert picture("Latency", "results/latency.png").splitlines()[1:3] == [
        '  <source media="(prefers-color-scheme: dark)" srcset="results/latency.dark.png">',
        '  <img alt="Latency" src="results/latency.png">',
    ]
