"""The benchmark with known truth: drawn pictures with defects, as arrays."""

from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd

from ..arrays import ImageSS3
from ..pretrain.pictures import picture_pixels
from ..synthetic.defect_drawing import encode
from ..synthetic.defects import ATTRIBUTES, PREVALENCE, Picture, compose, row_of
from .pictures import SIZE, LabeledPictures


def draw_pool(
    count: int, split: str = "train", p_unsuitable: float = PREVALENCE, first: int = 0, workers: int = 1
) -> LabeledPictures:
    """Draw pictures of a split; they are the same whenever they are drawn.

    A set with more unsuitable pictures than a stream has enough of them to measure recall; `prevalence` weights them.

    Args:
        count: N, the number of pictures.
        split: `train`, `validation` or `test`. Motifs of different splits have different designs.
        p_unsuitable: The share of unsuitable pictures; by default that of a stream.
        first: The seed of the first picture. Sets of a split are disjoint if their seeds are.
        workers: Number of processes that draw.
    """
    pictures = [compose(seed, split, p_unsuitable) for seed in range(first, first + count)]
    with ProcessPoolExecutor(workers) as pool:
        pixels = np.stack(list(pool.map(_pixels, pictures, chunksize=32)))
    labels = np.array([list(picture.labels.values()) for picture in pictures], np.int8)
    table = pd.DataFrame([row_of(picture) for picture in pictures]).astype(str)
    return LabeledPictures(pixels, labels, ATTRIBUTES, table)


def _pixels(picture: Picture) -> ImageSS3:
    return picture_pixels(encode(picture), SIZE)
