r"""MobileNetV2's image tower on two cores: taught by the published DenseNet121, in steps three times as small.

    python -m training.gender.pretrain --config training/gender/configs/avatars_taught.py \
        --pictures runs/pictures.parquet --backbone mobilenetv2 --weights WEIGHTS.npz \
        --out runs/avatars_mobilenet --teacher explain_repository/gradcam_densenet/*/model.onnx

WEIGHTS is the tuned trunk. More of the faces are small than in `avatars.py`.
"""

from dataclasses import replace

from training.data.augmentation import STRONG
from training.gender.pretraining import Pretraining


def get_config() -> Pretraining:
    return Pretraining(pictures=200_000, batch=128, augmentation=replace(STRONG, min_scale=0.33))
