"""The logit of a probability."""

from typing import Any

from keras import ops


def log_odds(p: Any, least: float) -> Any:
    """Return log p / (1 - p) of probabilities, which stay between `least` and 1 - `least`."""
    p = ops.clip(p, least, 1 - least)
    return ops.log(p) - ops.log(1 - p)
