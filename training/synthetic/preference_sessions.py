"""Sessions of a preference world: who was shown which pictures, and what was liked.

A history is drawn with replacement from P(cell | shown and liked, type), of pictures published before the session's
day; its length does not depend on the type. So the posterior of the type is exact.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from genderprep.tensors import EMBEDDING_SIZE

from ..arrays import BoolsN, BoolsNK, FloatsN, FloatsND, FloatsNK, IntsN, IntsNK
from .preference_pictures import Stock
from .preferences import World

MAX_HISTORY: Final = 50
# Share of users without likes, and mean length of the other histories before they are cut.
_NO_HISTORY: Final = 0.15
_MEAN_HISTORY: Final = 14


@dataclass(frozen=True)
class Profiles:
    """What is stored of U users before they are ranked for: P(female) [U], calibrated, and EMBEDDING [U, 256]."""

    p_female: FloatsN
    embeddings: FloatsND

    def __len__(self) -> int:
        return len(self.p_female)


@dataclass(frozen=True)
class Sessions:
    """N sessions, one user each, with S shown pictures. Pictures are rows of the stock; −1 pads histories.

    Args:
        days: The day of each session, [N].
        profiles: Row of each user in the profiles, [N].
        p_female: P(female) of each user, [N].
        female: The gender, drawn from it, [N].
        types: The taste types, [N].
        history: Liked earlier, newest first, [N, MAX_HISTORY].
        shown: By position, [N, S].
        propensities: Probability of each place, given those above, [N, S].
        liked: [N, S].
    """

    days: IntsN
    profiles: IntsN
    p_female: FloatsN
    female: BoolsN
    types: IntsN
    history: IntsNK
    shown: IntsNK
    propensities: FloatsNK
    liked: BoolsNK

    def __len__(self) -> int:
        return len(self.days)

    def rows(self, rows: IntsN | BoolsN) -> "Sessions":
        return replace(self, **{name: values[rows] for name, values in vars(self).items()})

    def joined(self, other: "Sessions") -> "Sessions":
        """Return these sessions, followed by others."""
        return replace(self, **{name: np.concatenate([a, vars(other)[name]]) for name, a in vars(self).items()})


def draw_profiles(count: int, seed: int) -> Profiles:
    """Draw surrogates of the gender model's outputs: a third of the users tells nothing, the others more or less.

    The embedding is noise around a direction, as far along it as the logit of P(female).
    """
    rng = np.random.default_rng((seed, 19))
    logits = rng.choice((-1, 1), count) * np.abs(rng.normal(1.5, 1.5, count)) * (rng.random(count) > 1 / 3)
    direction = rng.normal(size=EMBEDDING_SIZE) / np.sqrt(EMBEDDING_SIZE)
    embeddings = np.outer(logits, direction) + rng.normal(0, 0.3, (count, EMBEDDING_SIZE))
    return Profiles(1 / (1 + np.exp(-logits)), embeddings.astype(np.float32))


def draw_sessions(
    world: World,
    stock: Stock,
    profiles: Profiles,
    count: int,
    seed: int,
    days: range | None = None,
    users: range | None = None,
    shown: int = 20,
) -> Sessions:
    """Draw `count` sessions, evenly on each of `days`.

    Args:
        world: Its tables decide types, likes and exposure.
        stock: The pictures.
        profiles: Each session's user has a random one. The gender is drawn from its P(female), which is therefore
            exactly calibrated, and the embedding tells no more about taste than P(female) does.
        count: N.
        seed: Determines all draws.
        days: By default, from the first day on which the stock's window is full to the last.
        users: Rows of the profiles to choose from; by default all.
        shown: S. Lists are drawn without replacement, by Plackett–Luce with the stock's shares.
    """
    rng = np.random.default_rng((seed, 20))
    days = days or range(stock.window, stock.last_day + 1)
    of_day = np.sort(rng.permutation(np.arange(count) % len(days))) + days.start
    chosen = rng.choice(users or range(len(profiles)), count)
    p_female = profiles.p_female[chosen]
    female = rng.random(count) < p_female
    types = _choose(world.p_type[female.astype(int)], rng)
    history = np.full((count, MAX_HISTORY), -1)
    pictures, propensities = np.empty((count, shown), np.int64), np.empty((count, shown))
    for day in days:
        rows = np.flatnonzero(of_day == day)
        history[rows] = _histories(world, stock, types[rows], day, rng)
        pictures[rows], propensities[rows] = _lists(world, stock, day, (len(rows), shown), rng)
    liked = rng.random((count, shown)) < world.p_like[types[:, None], stock.cells[pictures]]
    return Sessions(of_day, chosen, p_female, female, types, history, pictures, propensities, liked)


def _histories(world: World, stock: Stock, types: IntsN, day: int, rng: np.random.Generator) -> IntsNK:
    """Draw the pictures that users of some types have liked before a day."""
    lengths = np.minimum(rng.geometric(1 / _MEAN_HISTORY, len(types)), MAX_HISTORY)
    lengths[rng.random(len(types)) < _NO_HISTORY] = 0
    filled = np.arange(MAX_HISTORY) < lengths[:, None]
    cells = _choose(world.p_liked_cell[np.repeat(types, lengths)], rng)
    rows = stock.past(day)
    rows = rows[np.argsort(stock.cells[rows], kind="stable")]
    # A uniform draw within the part of the cumulative appeal that a cell covers chooses one of its pictures.
    ends = np.cumsum(stock.appeal[rows])
    upper = np.cumsum(np.bincount(stock.cells[rows], stock.appeal[rows], len(world.exposure)))
    lower = np.concatenate([[0.0], upper[:-1]])
    points = lower[cells] + rng.random(len(cells)) * (upper - lower)[cells]
    history = np.full(filled.shape, -1)
    history[filled] = rows[np.minimum(np.searchsorted(ends, points, side="right"), len(rows) - 1)]
    return history


def _lists(
    world: World, stock: Stock, day: int, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[IntsNK, FloatsNK]:
    """Draw lists by Plackett–Luce, with the propensity of each place."""
    rows = stock.active(day)
    shares = stock.shares(rows, world.exposure)
    keys = np.log(shares) + rng.gumbel(size=(shape[0], len(rows)))
    top = np.argpartition(-keys, shape[1], axis=1)[:, : shape[1]]
    top = np.take_along_axis(top, np.argsort(-np.take_along_axis(keys, top, 1), axis=1), 1)
    chosen = shares[top]
    above = np.cumsum(chosen, axis=1) - chosen
    return rows[top], chosen / (1 - above)


def _choose(probabilities: FloatsNK, rng: np.random.Generator) -> IntsN:
    """Choose one column of each row, [N]."""
    sums = np.cumsum(probabilities, axis=1)
    columns = (sums < rng.random((len(sums), 1)) * sums[:, -1:]).sum(axis=1)
    return np.asarray(np.minimum(columns, sums.shape[1] - 1))
