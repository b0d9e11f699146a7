r"""Both image towers, trained on from published ones on two cores.

    python -m conversion.restore --tower explain_repository/gradcam_densenet/4/model.onnx --backbone densenet121 \
        --out runs/restored --pictures runs/pictures.parquet
    python -m training.gender.pretrain --config training/gender/configs/avatars_continued.py \
        --pictures runs/pictures.parquet --backbone densenet121 --weights runs/restored/model.keras \
        --out runs/avatars_densenet --minutes 80 --bfloat16

MobileNetV2 goes on from its own run, with a teacher as in `avatars_taught.py`.
"""

from dataclasses import replace

from training.data.augmentation import STRONG
from training.gender.pretraining import Pretraining


def get_config() -> Pretraining:
    return Pretraining(pictures=240_000, batch=128, seed=2, augmentation=replace(STRONG, min_scale=0.3))
