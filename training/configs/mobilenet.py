"""MobileNetV2 and the text tower, fused by attention.

python -m training.train --config training/configs/mobilenet.py --data runs/data/manifest.csv --out runs/mobilenet \
    --imagenet WEIGHTS.npz --text runs/nickname/model.keras
"""

from training.config import Config


def get_config() -> Config:
    return Config(backbone="mobilenetv2", epochs=6)
