"""A ranker for the few thousand lists of the loop: the served one with more passes and smaller batches."""

from training.ranking.config import Config


def get_config() -> Config:
    return Config(tastes=24, epochs=8, batch=64)
