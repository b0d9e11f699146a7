"""The text tower alone, to start the others from.

python -m training.gender.train --config training/gender/configs/nickname.py --data runs/data/nicknames.csv --out runs/nickname

Expect 673.9 rows a second on two cores (`results/data_scale.json`). In the ablation 77.4% of the test split, where
nicknames and avatars together allow 85.4%.
"""

from training.gender.config import Config


def get_config() -> Config:
    return Config(backbone="", epochs=4, batch=256, learning_rate=5e-4)
