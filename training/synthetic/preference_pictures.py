"""The pictures of a preference world: which are new on which day, and how often each is shown."""

from dataclasses import dataclass

import numpy as np

from ..arrays import BoolsN, FloatsC, FloatsN, IntsN


@dataclass(frozen=True)
class Stock:
    """P pictures of known cell, in one row each.

    Args:
        ids: Picture ids, positive, [P].
        cells: The cell of each picture, [P].
        days: The day on which each is published, [P].
        appeal: How often a picture is shown, relative to others of its cell, [P]. It does not change P(like).
        window: Number of days for which a picture is shown.
    """

    ids: IntsN
    cells: IntsN
    days: IntsN
    appeal: FloatsN
    window: int

    @property
    def last_day(self) -> int:
        return int(self.days.max())

    def active(self, day: int) -> IntsN:
        """Return the rows of the pictures shown on a day; they have been published within the last `window` days."""
        return np.flatnonzero((self.days <= day) & (self.days > day - self.window))

    def past(self, day: int) -> IntsN:
        """Return the rows of the pictures published before a day."""
        return np.flatnonzero(self.days < day)

    def shares(self, rows: IntsN, exposure: FloatsC) -> FloatsN:
        """Return the probability of each of some rows to be shown first, so that cells have their `exposure`.

        Raises:
            ValueError: A cell has none of these pictures.
        """
        sums = np.bincount(self.cells[rows], self.appeal[rows], len(exposure))
        if not sums.all():
            raise ValueError(f"expected a picture of each of {len(exposure)} cells, got {np.count_nonzero(sums)}")
        cells = self.cells[rows]
        shares: FloatsN = exposure[cells] * self.appeal[rows] / sums[cells]
        return shares


def publish(ids: IntsN, cells: IntsN, held_out: BoolsN, days: int, window: int, seed: int) -> Stock:
    """Spread pictures over days 0 to `days` − 1: those held out on the last day, the others evenly before it.

    Args:
        ids: Picture ids, [P].
        cells: The cell of each picture, [P]; each cell spreads evenly.
        held_out: The pictures of the last day, which no model sees in training, [P].
        days: Number of days.
        window: Number of days for which a picture is shown.
        seed: Of the order and the appeal.
    """
    rng = np.random.default_rng((seed, 18))
    published = np.full(len(ids), days - 1)
    for cell in np.unique(cells):
        rows = rng.permutation(np.flatnonzero((cells == cell) & ~held_out))
        published[rows] = (np.arange(len(rows)) * (days - 1) // len(rows) + rng.integers(days - 1)) % (days - 1)
    return Stock(ids, cells, published, rng.lognormal(0, 0.5, len(ids)), window)
