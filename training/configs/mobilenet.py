"""MobileNetV2 and the text tower, distilled from `recommended.py`: how the published `mobilenet` was trained.

python -m training.train --config training/configs/mobilenet.py --data runs/data/manifest.csv --out runs/mobilenet \
    --imagenet WEIGHTS.npz --text runs/nickname/model.keras --teacher runs/densenet/model.keras
"""

from training.config import STRONG, Config


def get_config() -> Config:
    return Config(backbone="mobilenetv2", epochs=6, augmentation=STRONG)
