"""Statistics that separate a difference between two arms from chance."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Samples = NDArray[Any]  # [N], one value per user


def paired_bootstrap(
    statistic: Callable[..., float], *samples: Samples, seed: int, resamples: int = 2000
) -> tuple[float, float]:
    """Return the 95% percentile interval of a statistic over users drawn with replacement (Efron, 1979).

    Args:
        statistic: A function of the samples. Draws for which it is NaN do not count.
        samples: Values of the same users, [N] each; pairs stay together.
        seed: Of the draws.
        resamples: Number of draws.
    """
    if len(samples[0]) < 2:
        value = statistic(*samples)
        return value, value
    with warnings.catch_warnings():
        # SciPy's own interval is NaN if one draw is; ours is not.
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        result = stats.bootstrap(
            samples, statistic, n_resamples=resamples, vectorized=False, paired=True, method="percentile", rng=seed
        )
    low, high = np.nanpercentile(result.bootstrap_distribution, (2.5, 97.5))
    return float(low), float(high)


def sample_ratio_p(first: int, second: int, first_weight: float = 1, second_weight: float = 1) -> float:
    """Return the p-value of the hypothesis that the counts of both arms follow their weights (chi-square).

    A value below 0.001 indicates a fault of the experiment.

    Raises:
        ValueError: Both counts are 0.
    """
    if first + second <= 0:
        raise ValueError(f"expected users in at least one arm, got {first} and {second}")
    weights = np.array([first_weight, second_weight])
    return float(stats.chisquare([first, second], (first + second) * weights / weights.sum()).pvalue)
