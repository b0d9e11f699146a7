r"""Both image towers, trained on from the published ones on two cores.

    python -m conversion.restore --tower explain_repository/gradcam_densenet/*/model.onnx --backbone densenet121 \
        --pictures runs/pictures.parquet --out runs/restored
    python -m training.gender.pretrain --config training/gender/configs/avatars_continued.py \
        --pictures runs/pictures.parquet --backbone densenet121 --weights runs/restored/model.keras \
        --out runs/continued_densenet --minutes 83 --bfloat16
    python -m training.gender.average --runs runs/restored runs/continued_densenet --pictures runs/pictures.parquet \
        --out runs/avatars_densenet

MobileNetV2 cannot be restored; it goes on from the run of `avatars_taught.py`, with the same teacher. More of the faces
are small than there.
"""

from dataclasses import replace

from training.data.augmentation import STRONG
from training.gender.pretraining import Pretraining


def get_config() -> Pretraining:
    return Pretraining(pictures=240_000, batch=128, seed=2, augmentation=replace(STRONG, min_scale=0.3))
