"""The data behind the lines, bars and cells of the figures."""

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from training.evaluation import figures
from training.evaluation.metrics import coverage_accuracy, reliability

LABELS = np.array([1.0, 0.0, 1.0, 0.0])
P_FEMALE = np.array([0.9, 0.2, 0.4, 0.3])
ALL = np.ones(4, np.bool_)


def line(axes: Axes, index: int) -> list[list[float]]:
    x, y = axes.lines[index].get_data()
    return [np.asarray(x).tolist(), np.asarray(y).tolist()]


def bars(axes: Axes) -> dict[float, float]:
    """Left edge to height of the non-empty bars."""
    rectangles = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    return {round(bar.get_x(), 6): bar.get_height() for bar in rectangles if bar.get_height()}


def legend(axes: Axes) -> list[str]:
    texts = axes.get_legend()
    return [text.get_text() for text in texts.get_texts()] if texts else []


def test_learning_curves_pair_training_and_validation() -> None:
    history = pd.DataFrame(
        {"epoch": [0, 1], "gender_loss": [0.5, 0.25], "learning_rate": [1, 1], "loss": [3, 2]}
        | {"val_gender_loss": [0.75, 0.5], "val_loss": [4, 5]}
    )
    figure = figures.learning_curves(history)
    assert [axes.get_title() for axes in figure.axes] == ["gender loss", "loss"]
    assert [line(figure.axes[0], i) for i in (0, 1)] == [[[1, 2], [0.5, 0.25]], [[1, 2], [0.75, 0.5]]]
    assert [line(figure.axes[1], i) for i in (0, 1)] == [[[1, 2], [3, 2]], [[1, 2], [4, 5]]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["train", "validation"]


@pytest.mark.parametrize("measures", [1, 3, 5])
def test_learning_curves_have_no_empty_panel(measures: int) -> None:
    columns = {f"{prefix}{index}": [1.0] for index in range(measures) for prefix in ("", "val_")}
    assert len(figures.learning_curves(pd.DataFrame({"epoch": [0], **columns})).axes) == measures


def test_confusion_matrix_shows_counts_and_shares() -> None:
    (axes,) = figures.confusion_matrix(np.array([[6, 1, 1], [0, 0, 0]]), 0.6).axes
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert cells == {
        (0, 0): "6\n75.0%", (1, 0): "1\n12.5%", (2, 0): "1\n12.5%",
        (0, 1): "0\n0.0%", (1, 1): "0\n0.0%", (2, 1): "0\n0.0%",
    }  # fmt: skip
    assert [label.get_text() for label in axes.get_xticklabels()] == ["male", "female", "unknown"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["male", "female"]


def test_reliability_diagram_shows_accuracy_and_counts() -> None:
    upper, lower = figures.reliability_diagram(reliability(LABELS, P_FEMALE, bins=4), error=0.125).axes
    assert line(upper, 0) == [[0, 1], [0, 1]]
    confidence, accuracy = line(upper, 1)
    assert confidence == pytest.approx([0.65, 0.85])
    assert accuracy == [0.5, 1.0]
    assert bars(lower) == {0.5: 2, 0.75: 2}
    assert [text.get_text() for text in lower.texts] == ["", "", "2", "2"]
    assert lower.get_xlim() == (0.5, 1)


def test_reliability_diagram_shows_wilson_intervals() -> None:
    labels, probabilities = np.repeat([1.0, 0.0], (8, 2)), np.full(10, 0.8)
    upper, _ = figures.reliability_diagram(reliability(labels, probabilities), error=0).axes
    ends = [line(upper, index)[1] for index in (2, 3)]
    assert np.array(ends) == pytest.approx(np.array([[0.4902], [0.9433]]), abs=1e-4)


def test_coverage_curve_marks_the_threshold() -> None:
    curve = coverage_accuracy(LABELS, P_FEMALE, ALL)
    (axes,) = figures.coverage_curve(curve, unknown_below=0.65).axes
    assert line(axes, 0) == [[0.25, 0.5, 0.75, 1.0], [1.0, 1.0, 1.0, 0.75]]
    assert line(axes, 1) == [[0.75], [1.0]]
    assert len(legend(axes)) == 1


def test_coverage_curve_without_decided_users_has_no_mark() -> None:
    (axes,) = figures.coverage_curve(coverage_accuracy(LABELS, P_FEMALE, ALL), unknown_below=0.95).axes
    assert (len(axes.lines), legend(axes)) == (1, [])


def test_avatar_weights_are_shares_of_a_stratum() -> None:
    weights = np.array([1.0, 0.02, 0.51, 0.54])
    both, one = figures.avatar_weights(weights, np.array(["one", "both", "both", "both"])).axes
    assert bars(both) == {0.0: pytest.approx(1 / 3), 0.5: pytest.approx(2 / 3)}
    assert bars(one) == {0.95: 1}
    assert both.get_title(loc="left") == "both: 3 users, mean 0.36"
    assert one.get_title(loc="left") == "one: 1 users, mean 1.00"


def test_picture_grid_shows_captions() -> None:
    pictures = [np.full((2, 4, 3), value, np.uint8) for value in range(5)]
    axes = figures.picture_grid(pictures, list("abcde"), "title").axes
    assert [a.get_title() for a in axes if a.images] == list("abcde")
    assert [np.asarray(a.images[0].get_array()).max() for a in axes if a.images] == [0, 1, 2, 3, 4]
    assert not any(a.axison for a in axes)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "figure",
    [
        figures.learning_curves(pd.DataFrame({"epoch": [0], "loss": [1.0], "val_loss": [2.0]})),
        figures.confusion_matrix(np.zeros((2, 3), np.int64), 0.6),
        figures.reliability_diagram(reliability(LABELS[:1], P_FEMALE[:1]), 0.1),
        figures.coverage_curve(coverage_accuracy(LABELS, LABELS[::-1], ALL), 0.6),
        figures.avatar_weights(np.zeros(1), np.array(["nothing"])),
    ],
)
def test_extremes_raise_no_warning(figure: Figure) -> None:
    with io.BytesIO() as file:
        figure.savefig(file)
        assert file.getvalue().startswith(b"\x89PNG")
