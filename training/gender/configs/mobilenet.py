"""MobileNetV2 and the text tower, distilled from `recommended.py`: how the published `mobilenet` was trained.

python -m training.gender.train --config training/gender/configs/mobilenet.py --data runs/data/manifest.csv --out runs/mobilenet \
    --imagenet WEIGHTS.npz --text runs/nickname/model.keras --teacher runs/densenet/model.keras

Expect 65.5 rows a second on two cores (`results/data_scale.json`), fewer with a teacher, which has to answer every
batch as well. On 6,310 users, 79.7% of the test split where 84.5% is possible (`results/publish_mobilenet.json`); in
the ablation, at 96 pixels, 84.3% without a teacher and 84.5% with one.
"""

from training.data.augmentation import STRONG
from training.gender.config import Config


def get_config() -> Config:
    return Config(backbone="mobilenetv2", epochs=6, augmentation=STRONG)
