"""Operations on pixels equal Pillow."""

from io import BytesIO

import numpy as np
import pytest
from keras import ops
from numpy.typing import NDArray
from PIL import Image

from training.data.jpeg import compress
from training.data.pixels import blur, erase


def photo(size: int = 48) -> NDArray[np.uint8]:
    """A smooth colored picture with an edge."""
    y, x = np.mgrid[:size, :size]
    channels = 128 + 90 * np.sin(x / 5), 100 + 60 * np.cos(y / 7), np.where(x + y > size, 220, 40)
    image: NDArray[np.uint8] = np.stack(channels, axis=-1).astype(np.uint8)
    return image


def tensor(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    return image[None].astype(np.float32)


@pytest.mark.parametrize("pixels", [9, 24, 47])
def test_blur_equals_resizing_with_pillow(pixels: int) -> None:
    image = photo()
    small = Image.fromarray(image).resize((pixels, pixels), Image.Resampling.BILINEAR)
    expected = np.asarray(small.resize((48, 48), Image.Resampling.BILINEAR), float)
    result = ops.convert_to_numpy(blur(tensor(image), np.array([pixels])))[0]
    # Pillow rounds in between.
    assert np.abs(result - expected).max() <= 2


@pytest.mark.parametrize("quality", [25, 60, 90])
def test_compression_equals_a_jpeg_file(quality: int) -> None:
    image = photo()
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling=0)
    expected = np.asarray(Image.open(buffer), float)
    result = ops.convert_to_numpy(compress(tensor(image), np.array([quality])))[0]
    assert np.abs(result.clip(0, 255) - expected).mean() < 1.0
    assert np.abs(expected - image).mean() > 1.5 * np.abs(result.clip(0, 255) - expected).mean()


def test_compression_of_other_sides_and_quality_100() -> None:
    images = np.stack([photo(36)] * 2).astype(np.float32)
    first, second = ops.convert_to_numpy(compress(images, np.array([100, 20])))
    assert np.abs(first - images[0]).max() < 0.05
    assert np.abs(second - images[0]).mean() > 1


def test_erased_rectangle() -> None:
    images = np.zeros((1, 10, 10, 3), np.float32)
    result = erase(images, np.array([[0.5], [0.2]]), np.array([[0.2], [0.4]]), np.array([[1.0, 2, 3]]))
    rows, columns = np.nonzero(ops.convert_to_numpy(result)[0, :, :, 2] == 3)
    assert ({*rows}, {*columns}) == ({4, 5}, {0, 1, 2, 3})
