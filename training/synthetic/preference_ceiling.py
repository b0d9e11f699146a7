"""The exact P(like) in a preference world, by enumeration of the taste types, for each kind of knowledge."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy.special import softmax

from ..arrays import BoolsN, FloatsNK
from .preference_pictures import Stock
from .preference_sessions import Sessions
from .preferences import World


@dataclass(frozen=True)
class Knowledge:
    """What is known about a user and about pictures.

    Args:
        gender: Nothing but the share of women, P(female) as predicted, or the true gender.
        history: How the liked pictures are known: not at all, by id or by content. By id, the cell is known of the
            pictures seen in training, and nothing of all others. By content, the cell of every picture is known.
        candidate: How the candidates are known.
    """

    gender: Literal["", "predicted", "true"] = ""
    history: Literal["", "ids", "pictures"] = ""
    candidate: Literal["ids", "pictures"] = "pictures"


KNOWLEDGE: Final[dict[str, Knowledge]] = {
    "popularity": Knowledge(),
    "predicted gender": Knowledge("predicted"),
    "true gender": Knowledge("true"),
    "history as ids": Knowledge("", "ids", "ids"),
    "history as pictures": Knowledge("", "pictures"),
    "ids and predicted gender": Knowledge("predicted", "ids", "ids"),
    "history as pictures, candidates as ids": Knowledge("predicted", "pictures", "ids"),
    "all": Knowledge("predicted", "pictures"),
}


def p_like(world: World, stock: Stock, sessions: Sessions, seen: BoolsN, knowledge: Knowledge) -> FloatsNK:
    """Return the exact P(like | knowledge) of each shown picture, [N, S].

    The posterior is P(type | gender, history) ∝ P(type | gender) Πⱼ P(cell of j | liked, type). A picture of unknown
    cell has the factor 1 in it, and as a candidate, P(like | type) averaged over the cells as they are shown.

    Args:
        world: The tables.
        stock: The pictures.
        sessions: The shown pictures.
        seen: Whether each picture of the stock occurs in training, [P].
        knowledge: What the probability may depend on.
    """
    posterior = p_type(world, stock, sessions, seen, knowledge)
    known = seen if knowledge.candidate == "ids" else np.ones_like(seen)
    by_cell = np.column_stack([world.p_like, world.p_like @ world.exposure])
    cells = np.where(known, stock.cells, len(world.exposure))[sessions.shown]
    # [N, C + 1] is small enough to compute all, and cheaper than a gather of [N, S, T].
    return np.take_along_axis(posterior @ by_cell, cells, axis=1)


def p_type(world: World, stock: Stock, sessions: Sessions, seen: BoolsN, knowledge: Knowledge) -> FloatsNK:
    """Return the posterior P(type | knowledge) of each user, [N, T]."""
    p_female = {
        "": np.full(len(sessions), sessions.p_female.mean()),
        "predicted": sessions.p_female,
        "true": sessions.female.astype(float),
    }[knowledge.gender]
    prior = np.column_stack([1 - p_female, p_female]) @ world.p_type
    if not knowledge.history:
        return prior
    known = seen if knowledge.history == "ids" else np.ones_like(seen)
    counted = (sessions.history >= 0) & known[sessions.history]
    users, places = np.nonzero(counted)
    cells = stock.cells[sessions.history[users, places]]
    size = len(world.exposure)
    counts = np.bincount(users * size + cells, minlength=len(sessions) * size).reshape(len(sessions), size)
    return np.asarray(softmax(np.log(prior) + counts @ np.log(world.p_liked_cell).T, axis=1))
