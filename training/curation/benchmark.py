"""The benchmark with known truth: drawn pictures with defects, as arrays."""

import numpy as np
import pandas as pd

from ..pretrain.pictures import picture_pixels
from ..synthetic.defect_drawing import encode
from ..synthetic.defects import ATTRIBUTES, compose, row_of
from .pictures import SIZE, LabeledPictures


def draw_pool(count: int, split: str, p_unsuitable: float, first: int) -> LabeledPictures:
    """Draw pictures of a split; they are the same whenever they are drawn.

    A set with more unsuitable pictures than a stream has enough of them to measure recall; `prevalence` weights them.

    Args:
        count: N, the number of pictures.
        split: `train`, `validation` or `test`. Motifs of different splits have different designs.
        p_unsuitable: The share of unsuitable pictures.
        first: The seed of the first picture. Sets of a split are disjoint if their seeds are.
    """
    pictures = [compose(seed, split, p_unsuitable) for seed in range(first, first + count)]
    pixels = np.stack([picture_pixels(encode(picture), SIZE) for picture in pictures])
    labels = np.array([list(picture.labels.values()) for picture in pictures], np.int8)
    table = pd.DataFrame([row_of(picture) for picture in pictures]).astype(str)
    return LabeledPictures(pixels, labels, ATTRIBUTES, table)
