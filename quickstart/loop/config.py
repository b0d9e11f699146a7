"""A ranker for the few thousand lists of the loop: the served one with more passes and smaller batches.

The gallery of the loop counts no likes, so the prior of a picture says nothing and is left out.
"""

from training.ranking.config import Config


def get_config() -> Config:
    return Config(epochs=8, batch=64, priors=False)
