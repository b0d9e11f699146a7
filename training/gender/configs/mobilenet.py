r"""The published `mobilenet`: MobileNetV2, taught by DenseNet121, and the text tower, fused by attention.

    python -m training.gender.fuse --config training/gender/configs/mobilenet.py --data runs/open.parquet \
        --avatar runs/avatars_mobilenet/model.keras --text runs/nickname/model.keras --out runs/mobilenet

End to end, with a teacher, from ImageNet weights:

    python -m training.gender.train --config training/gender/configs/mobilenet.py \
        --data runs/data/manifest.csv --out runs/mobilenet \
        --imagenet WEIGHTS.npz --text runs/nickname/model.keras --teacher runs/densenet/model.keras

Speed without a teacher: `mobilenet` in `results/data_scale.json`. The teacher predicts every batch too, which takes
additional time. Accuracy: `results/publish_mobilenet.json`, and the rows `MobileNetV2` and `MobileNetV2, distilled` of
`results/ablation.md`.
"""

from training.data.augmentation import STRONG
from training.gender.config import Config


def get_config() -> Config:
    return Config(backbone="mobilenetv2", epochs=6, augmentation=STRONG)
