"""Grad-CAM: which places of an image support a prediction (Selvaraju et al., 2017, https://arxiv.org/abs/1610.02391)."""

from collections.abc import Callable
from typing import Any

import keras
import matplotlib
import numpy as np
from keras import ops
from PIL import Image

from ..arrays import FloatsNHW, FloatsNHWC, ImageSS3, TensorB1, TensorBHWC

# From feature maps to the scores that they explain, in Keras operations.
Score = Callable[[TensorBHWC], TensorB1]


def grad_cam(score: Score, maps: FloatsNHWC) -> FloatsNHW:
    """Return ReLU(Σ_c α_c · maps_c), where α_c is the mean of ∂score/∂maps_c over all places (equations 1 and 2)."""
    alpha = gradient(score, maps).mean(axis=(1, 2), keepdims=True)
    heat: FloatsNHW = np.maximum((alpha * maps).sum(axis=-1), 0)
    return heat


def gradient(score: Score, maps: FloatsNHWC) -> FloatsNHWC:
    """Return ∂score/∂maps. The score of a row must depend on the maps of that row only.

    Raises:
        NotImplementedError: The Keras backend is not TensorFlow, PyTorch or JAX.
    """
    backend, tensor = keras.backend.backend(), ops.convert_to_tensor(maps)
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(tensor)
            total = ops.sum(score(tensor))
        result = tape.gradient(total, tensor)
    elif backend == "torch":
        import torch

        (result,) = torch.autograd.grad(ops.sum(score(tensor.requires_grad_())), tensor)
    elif backend == "jax":
        import jax

        result = jax.grad(lambda each: ops.sum(score(each)))(tensor)
    else:
        raise NotImplementedError(f"expected the Keras backend tensorflow, torch or jax, got {backend}")
    gradients: FloatsNHWC = ops.convert_to_numpy(result)
    return gradients


def overlay(image: ImageSS3, heat: Any, strength: float = 0.6) -> ImageSS3:
    """Color a gray copy of an image by its non-negative heat `[H, W]`; `strength` is the opacity of the maximum."""
    height, width, _ = image.shape
    small = Image.fromarray((heat / (heat.max() or 1)).astype(np.float32))
    share = np.clip(np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)), 0, 1)
    color = 255 * matplotlib.colormaps["inferno"](share)[..., :3]
    gray = image.mean(axis=-1, keepdims=True)
    mixed: ImageSS3 = np.rint(gray + strength * share[..., None] * (color - gray)).astype(np.uint8)
    return mixed
