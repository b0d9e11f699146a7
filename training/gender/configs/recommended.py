r"""The published `densenet`: DenseNet121 and the text tower, fused by attention.

    python -m training.gender.fuse --config training/gender/configs/recommended.py --data runs/open.parquet \
        --avatar runs/avatars_densenet/model.keras --text runs/nickname/model.keras --out runs/densenet

End to end, from ImageNet weights:

    python -m training.gender.train --config training/gender/configs/recommended.py \
        --data runs/data/manifest.csv --out runs/densenet \
        --imagenet WEIGHTS.npz --text runs/nickname/model.keras

Speed: `recommended` in `results/data_scale.json`. Accuracy: `results/publish_densenet.json`, and the row `attention,
ImageNet` of `results/ablation.md`.
"""

from training.data.augmentation import STRONG
from training.gender.config import Config


def get_config() -> Config:
    return Config(backbone="densenet121", epochs=4, augmentation=STRONG)
