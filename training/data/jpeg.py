"""The losses of a JPEG file, on a batch of images: discrete cosine coefficients rounded to multiples (ITU-T T.81)."""

from typing import Final

import numpy as np
from keras import ops
from scipy.fft import dct

from ..arrays import FloatsN, TensorBSS3

_BLOCK: Final = 8
# The example tables of annex K.1, for luminance and chrominance.
_LUMINANCE: Final = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMINANCE: Final = (
    *(17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99),
    *(24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99),
    *(99,) * 32,
)
_TABLES: Final = np.array([_LUMINANCE, _CHROMINANCE, _CHROMINANCE]).reshape(3, _BLOCK, _BLOCK).transpose(1, 2, 0)
# From RGB to luminance and chrominance, for row vectors.
_YCC: Final = np.array([[0.299, -0.168736, 0.5], [0.587, -0.331264, -0.418688], [0.114, 0.5, -0.081312]], np.float32)
_RGB: Final = np.linalg.inv(_YCC)
_DCT: Final = dct(np.eye(_BLOCK, dtype=np.float32), axis=0, norm="ortho")


def compress(images: TensorBSS3, quality: FloatsN) -> TensorBSS3:
    """Compress and decompress each image, without subsampling of the colors.

    Args:
        images: [B, S, S, 3], within 0..255.
        quality: [B], libjpeg's, from 1 to 100. 100 changes nothing.
    """
    count, size = images.shape[:2]
    padding = -size % _BLOCK
    padded = ops.pad(images, ((0, 0), (0, padding), (0, padding), (0, 0)), mode="symmetric") if padding else images
    rows = (size + padding) // _BLOCK
    blocks = ops.reshape(padded - 128, (count, rows, _BLOCK, rows, _BLOCK, 3))
    coefficients = ops.einsum("brxcyi,ij,ux,vy->brucvj", blocks, _YCC, _DCT, _DCT)
    percent = np.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    steps = np.maximum(1, np.floor(_TABLES * percent[:, None, None, None] / 100 + 0.5))
    # At quality 100 the steps are so small that rounding changes nothing.
    steps = np.where((quality < 100)[:, None, None, None], steps, 1e-3).astype(np.float32)
    step = ops.convert_to_tensor(steps[:, None, :, None])
    rounded = ops.round(coefficients / step) * step
    decoded = ops.einsum("brucvj,ji,ux,vy->brxcyi", rounded, _RGB, _DCT, _DCT)
    return ops.reshape(decoded, padded.shape)[:, :size, :size] + 128
