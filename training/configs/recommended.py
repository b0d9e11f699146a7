"""DenseNet121 and the text tower, fused by attention: how the published `densenet` was trained.

python -m training.train --config training/configs/recommended.py --data runs/data/manifest.csv --out runs/densenet \
    --imagenet WEIGHTS.npz --text runs/nickname/model.keras
"""

from training.config import STRONG, Config


def get_config() -> Config:
    return Config(backbone="densenet121", epochs=4, augmentation=STRONG)
