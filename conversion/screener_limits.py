"""Choose at which probabilities a screener refuses pictures."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from training.arrays import FloatsND, LabelsNA
from training.curation.cascade import tune

from .screener_model import CASCADED, NEVER, Limits

# What may not be in a picture that is shown. The other attributes only describe it.
REFUSING: Final = ("blurred", "low_resolution", "text_overlay", "empty_slot", "error_page", CASCADED)
# The share of refusals that shall be right, if this share of pictures has the attribute.
PRECISION: Final = 0.95
PREVALENCE: Final = 0.001


def tune_limits(
    attributes: Sequence[str],
    first: FloatsND,
    second: FloatsND,
    labels: LabelsNA,
    refusing: Sequence[str] = REFUSING,
    precision: float = PRECISION,
    prevalence: float = PREVALENCE,
) -> Limits:
    """Return the limits that find most pictures of each refusing attribute at a precision.

    An attribute that cannot be found at that precision, or has no examples, gets `NEVER`: it refuses nothing.

    Args:
        attributes: Names of the columns, A.
        first: Probabilities of the first network, `[N, A]`.
        second: Probabilities of `CASCADED` by the second network, `[N, 1]`.
        labels: 1, 0, or -1 if it is not known whether a picture has the attribute, `[N, A]`.
        refusing: The attributes that refuse a picture.
        precision: The share of refusals that shall be right.
        prevalence: The share of pictures that have the attribute.
    """
    lowest, lowest_second = {}, NEVER
    for name in refusing:
        column = attributes.index(name)
        known = labels[:, column] >= 0
        # A second network that always agrees leaves the first one alone.
        other = second[:, 0] if name == CASCADED else np.ones(len(first))
        positive = labels[known, column] == 1
        is_mixed = 0 < positive.sum() < len(positive)
        tuned = tune(first[known, column], other[known], positive, precision, prevalence) if is_mixed else None
        lowest[name] = tuned.first if tuned else NEVER
        if tuned and name == CASCADED:
            lowest_second = tuned.second
    return Limits(lowest, lowest_second)
