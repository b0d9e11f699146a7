r"""The article's final model, with its errors corrected: DenseNet121 at 224 pixels, attention, ImageNet weights.

    python -m training.gender.train --config training/gender/configs/seed.py \
        --data runs/data/manifest.csv --out runs/seed --imagenet WEIGHTS.npz

The nickname's features are the mean over all 32 steps, including padding, without n-grams. The only loss is on the
fused logit. No modality or token is dropped in training. Where the article is silent (optimizer, weight decay), the
values are those of `recommended.py`. This config is for comparison: with three times the pixels it is much slower
(`results/image_size.md`). Accuracy: the row `seed preset` of `results/ablation.md`.
"""

from training.data.augmentation import Augmentation
from training.gender.config import Config


def get_config() -> Config:
    return Config(
        backbone="densenet121",
        epochs=5,
        image_size=224,
        mean_over_padding=True,
        ngrams=False,
        label_smoothing=0.0,
        auxiliary_loss=0.0,
        augmentation=Augmentation(drop_modality=0.0, drop_token=0.0),
    )
