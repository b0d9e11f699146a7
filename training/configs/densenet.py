"""DenseNet121 and the text tower, fused by attention.

python -m training.train --config training/configs/densenet.py --data runs/data/manifest.csv --out runs/densenet \
    --imagenet WEIGHTS.npz --text runs/nickname/model.keras
"""

from training.config import Config


def get_config() -> Config:
    return Config(backbone="densenet121", epochs=4)
