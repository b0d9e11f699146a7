r"""The text tower alone, which the fused models start from.

    python -m training.gender.train --config training/gender/configs/nickname.py \
        --data runs/data/nicknames.csv --out runs/nickname

Speed: `nickname` in `results/data_scale.json`. Accuracy: the row `text tower alone` of `results/ablation.md`.
"""

from training.data.augmentation import Augmentation
from training.gender.config import Config


def get_config() -> Config:
    return Config(
        backbone="",
        epochs=1,
        batch=1024,
        learning_rate=1e-3,
        label_smoothing=0.0,
        augmentation=Augmentation(drop_token=0.0),
    )
