r"""The text tower alone, which the fused models start from.

    python -m training.gender.train --config training/gender/configs/nickname.py \
        --data runs/data/nicknames.csv --out runs/nickname

Speed: `nickname` in `results/data_scale.json`. Accuracy: the row `text tower alone` of `results/ablation.md`.
"""

from training.gender.config import Config


def get_config() -> Config:
    return Config(backbone="", epochs=4, batch=256, learning_rate=5e-4)
