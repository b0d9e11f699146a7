"""Confidence intervals that hold for identities and for seeds.

Test users are not independent: hundreds share one portrait, design or photo. Nor is a trained model the only one that
its config can give: another seed gives another. An interval over independent users of one seed is too narrow for both
reasons.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from ..arrays import FloatsN, IntsN

DRAWS: Final = 1000
LEVEL: Final = 0.95

# Of some rows [M] of the test users: one value per seed [S], or a single value.
Statistic = Callable[[IntsN], FloatsN | float]


class Estimate(NamedTuple):
    """A mean over seeds, and the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of 0."""
        return self.low > 0 or self.high < 0

    def rounded(self, name: str) -> dict[str, float]:
        """Return `name`, `name_low` and `name_high` with four decimals."""
        return {f"{name}{end}": round(value, 4) for end, value in zip(("", "_low", "_high"), self, strict=True)}


def identities_of(table: pd.DataFrame) -> IntsN:
    """Number the identities of a manifest's rows by the column `identity`.

    A row of empty identity, or of a manifest without the column, is an identity of its own.
    """
    names = table["identity"].fillna("") if "identity" in table else pd.Series("", table.index)
    codes, known = pd.factorize(names)
    return np.where((names == "").to_numpy(), len(known) + np.arange(len(table)), codes)


def estimate(statistic: Statistic, identities: NDArray[Any], draws: int = DRAWS, seed: int = 0) -> Estimate:
    """Return the mean of a statistic over seeds with its 95 % interval.

    For users, the interval is the percentile interval of a bootstrap that draws whole identities (Field and Welsh,
    2007, "Bootstrapping clustered data"). For seeds, it is Student's t, because resampling three seeds would be too
    narrow. The distances of both from the mean add up in squares, as do standard deviations (Zou and Donner, 2008,
    "Construction of confidence limits": MOVER). With one seed, the interval holds for that seed only.

    To compare two models, let the statistic be their difference: users and seeds are then paired.

    Args:
        statistic: A function of rows. Draws for which it is NaN do not count.
        identities: Who or what each user's avatar shows, [N].
        draws: Number of resamples.
        seed: Of the resamples.
    """
    by_seed = np.atleast_1d(statistic(np.arange(len(identities))))
    value = float(by_seed.mean())
    resampled = [float(np.mean(statistic(rows))) for rows in resample(identities, draws, np.random.default_rng(seed))]
    low, high = np.nanpercentile(resampled, (50 * (1 - LEVEL), 50 * (1 + LEVEL)))
    below, above = np.hypot((max(value - low, 0), max(high - value, 0)), _t_distance(by_seed))
    return Estimate(value, float(value - below), float(value + above))


def resample(identities: NDArray[Any], draws: int, rng: np.random.Generator) -> Iterator[IntsN]:
    """Yield the rows of as many identities as there are, drawn with replacement."""
    _, codes = np.unique(identities, return_inverse=True)
    order, counts = np.argsort(codes, kind="stable"), np.bincount(codes)
    starts = np.cumsum(counts) - counts
    for _ in range(draws):
        drawn = rng.integers(0, len(counts), len(counts))
        sizes = counts[drawn]
        first = np.repeat(starts[drawn] - (np.cumsum(sizes) - sizes), sizes)
        yield order[first + np.arange(len(first))]


def _t_distance(by_seed: FloatsN) -> float:
    """Return the distance of the ends of Student's interval from the mean of S seeds; 0 for one seed."""
    if (seeds := len(by_seed)) < 2:
        return 0.0
    quantile = stats.t.ppf((1 + LEVEL) / 2, seeds - 1)
    return float(quantile * by_seed.std(ddof=1) / np.sqrt(seeds))
