r"""The image towers, alone, on real pictures of all sources: DenseNet121, then MobileNetV2, which it teaches.

    python -m training.gender.pretrain --config training/gender/configs/avatars.py --pictures runs/pictures.parquet \
        --backbone densenet121 --weights WEIGHTS.npz --out runs/avatars_densenet
    python -m training.gender.pretrain --config training/gender/configs/avatars.py --pictures runs/pictures.parquet \
        --backbone mobilenetv2 --weights WEIGHTS.npz --out runs/avatars_mobilenet --teacher runs/avatars_densenet

With `KERAS_BACKEND=torch` and a GPU; `--minutes` ends the schedule in time. Two cores need hours for these pictures.
"""

from training.gender.pretraining import Pretraining


def get_config() -> Pretraining:
    return Pretraining(pictures=155_000)
