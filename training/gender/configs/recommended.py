"""DenseNet121 and the text tower, fused by attention: how the published `densenet` was trained.

python -m training.gender.train --config training/gender/configs/recommended.py --data runs/data/manifest.csv --out runs/densenet \
    --imagenet WEIGHTS.npz --text runs/nickname/model.keras

Expect 19.5 rows a second on two cores (`results/data_scale.json`): about 22 minutes for 4 epochs of 6,310 users. On
those users, 80.1% of the test split where 84.5% is possible (`results/publish_densenet.json`); in the ablation, at 96
pixels and for 3 epochs, 84.9% where 85.4% is possible.
"""

from training.data.augmentation import STRONG
from training.gender.config import Config


def get_config() -> Config:
    return Config(backbone="densenet121", epochs=4, augmentation=STRONG)
