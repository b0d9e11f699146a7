"""Class activation maps: where a linear head on pooled feature maps finds its evidence.

Zhou et al., 2016, https://arxiv.org/abs/1512.04150. Other heads need Grad-CAM, which gives ReLU(CAM) / HW for this one.
"""

import numpy as np

from ..arrays import FloatsC, FloatsNHW, FloatsNHWC


def class_activation_map(maps: FloatsNHWC, weights: FloatsC) -> FloatsNHW:
    """Return Σ_c w_c · maps_c, `[N, H, W]`; its mean plus the head's bias is the logit.

    Args:
        maps: The feature maps that are averaged over all places, `[N, H, W, C]`.
        weights: The head's weights for one class, `[C]`.
    """
    heat: FloatsNHW = np.tensordot(maps, weights, axes=1)
    return heat
