r"""The served dual encoder: it starts from ImageNet's MobileNetV2, and tells pictures of one title apart.

    python -m training.pretrain.run --config training/pretrain/configs/served.py --weights MOBILENETV2.npz \
        --data runs/pictures/pictures.csv --out runs/dual_encoder

It learns from drawn cards, and from real drawings and photos with titles (`training.pretrain.collect`). Quality: the
row `dual encoder, served` of `results/pictures.md`.
"""

from training.pretrain.methods import Config


def get_config() -> Config:
    return Config("dual_encoder", epochs=10, batch=64, width=1.0, instance_weight=0.5)
