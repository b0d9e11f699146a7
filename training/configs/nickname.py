"""The text tower alone, to start the others from.

python -m training.train --config training/configs/nickname.py --data runs/data/nicknames.csv --out runs/nickname
"""

from training.config import Config


def get_config() -> Config:
    return Config(backbone="", epochs=4, batch=256, learning_rate=5e-4)
