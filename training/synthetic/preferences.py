"""A world of tastes, in which the probability that a user likes a picture is known exactly.

A user has one of some taste types, which depends on the gender. A picture belongs to a cell: a theme in a style.
Whether a user likes a picture depends on the user's type and the picture's cell, and on nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import expit, softmax

from ..arrays import FloatsC, FloatsNK, FloatsTC, IntsN
from .card_styles import STYLES
from .card_themes import THEMES

CELLS: Final = tuple((theme, style) for theme in THEMES for style in STYLES)
TYPES: Final = 12
# Mean and spreads of the logits of P(like): an appeal of each cell, and how much types differ about it.
_MEAN: Final = -1.3
_APPEAL: Final = 0.5
_THEME_TASTE: Final = 2.2
_STYLE_TASTE: Final = 1.3
_CELL_TASTE: Final = 0.3
# Exponent of a cell's mean P(like) in its exposure.
_POPULARITY: Final = 1.0


@dataclass(frozen=True)
class World:
    """The tables of a world with T types and C cells.

    Args:
        p_type: P(type | gender), [2, T], in the order of `genderprep.tensors.LABELS`.
        p_like: P(like | type, cell), [T, C].
        exposure: Probability that a shown picture is of a cell, [C]. Popular cells are shown more often.
    """

    p_type: FloatsNK
    p_like: FloatsTC
    exposure: FloatsC

    @property
    def p_liked_cell(self) -> FloatsTC:
        """P(cell | shown and liked, type), [T, C]: what a history consists of."""
        joint = self.exposure * self.p_like
        share: FloatsTC = joint / joint.sum(axis=1, keepdims=True)
        return share


def draw_world(seed: int, strength: float = 0.5) -> World:
    """Draw a world.

    Args:
        seed: Determines all tables.
        strength: How much the gender tells about the type; 0 for nothing. Each type is preferred by one gender: its
            P(type | gender) is exp(±strength · a), normalized, with a between 0.5 and 1.5.
    """
    rng = np.random.default_rng((seed, 17))
    lean = np.where(np.arange(TYPES) % 2, 1, -1) * rng.uniform(0.5, 1.5, TYPES)
    p_type = softmax(np.outer([-strength, strength], lean), axis=1)
    theme, style = (rng.normal(0, spread, (TYPES, size)) for spread, size in _taste_sizes())
    logits = (
        _MEAN
        + rng.normal(0, _APPEAL, len(CELLS))
        + np.repeat(theme, len(STYLES), axis=1)
        + np.tile(style, len(THEMES))
        + rng.normal(0, _CELL_TASTE, (TYPES, len(CELLS)))
    )
    p_like = expit(logits)
    exposure = p_like.mean(axis=0) ** _POPULARITY
    return World(p_type, p_like, exposure / exposure.sum())


def cells_of(themes: Sequence[str], styles: Sequence[str]) -> IntsN:
    """Return the cell of each picture, [N]."""
    numbers = {cell: number for number, cell in enumerate(CELLS)}
    return np.array([numbers[pair] for pair in zip(themes, styles, strict=True)], np.int64)


def _taste_sizes() -> tuple[tuple[float, int], tuple[float, int]]:
    return (_THEME_TASTE, len(THEMES)), (_STYLE_TASTE, len(STYLES))
