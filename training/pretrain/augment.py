"""Random views of pictures, with the augmentations of MoCo v2 as layers of Keras.

Chen et al., 2020 (https://arxiv.org/abs/2003.04297), section 3: resized crop, flip, color jitter, grayscale, blur.
"""

from dataclasses import dataclass

import keras


@dataclass(frozen=True)
class Views:
    """How a view of a picture is drawn.

    Args:
        size: Side of the view in pixels.
        smallest: Smallest side of the crop, as a share of the picture's.
        largest: Largest side of the crop.
        jitter: Strength of the color jitter.
    """

    size: int
    smallest: float = 0.45
    largest: float = 1.0
    jitter: float = 0.4

    def build(self, seed: int, name: str) -> keras.Sequential:
        """Return a layer from pictures `[B, S, S, 3]` in 0..255 to views `[B, size, size, 3]`, float in 0..255.

        It augments in training only; otherwise it only resizes.
        """
        # Zoom keeps the center, so the shift before it chooses the place of the crop.
        shift = (1 - self.smallest) / 2
        return keras.Sequential(
            [
                keras.layers.RandomTranslation(shift, shift, fill_mode="reflect", seed=seed),
                keras.layers.RandomZoom((self.smallest - 1, self.largest - 1), fill_mode="reflect", seed=seed + 1),
                keras.layers.Resizing(self.size, self.size),
                keras.layers.RandomFlip("horizontal", seed=seed + 2),
                keras.layers.RandomColorJitter(
                    value_range=(0, 255),
                    # Keras adds brightness, where MoCo multiplies: the full strength would blank light pictures.
                    brightness_factor=self.jitter / 2,
                    contrast_factor=self.jitter,
                    saturation_factor=(0.5 - self.jitter / 2, 0.5 + self.jitter / 2),
                    hue_factor=self.jitter / 4,
                    seed=seed + 3,
                ),
                keras.layers.RandomGrayscale(0.2, seed=seed + 4),
                keras.layers.RandomGaussianBlur(0.5, kernel_size=3, sigma=1.0, value_range=(0, 255), seed=seed + 5),
            ],
            name=name,
        )


def build_views(pictures: keras.KerasTensor, views: list[Views], seed: int) -> list[keras.KerasTensor]:
    """Apply one random view of each kind to a batch of pictures."""
    pixels = keras.ops.cast(pictures, "float32")
    return [view.build(seed + 10 * index, f"view_{index + 1}")(pixels) for index, view in enumerate(views)]
