"""The picture encoder: a small MobileNetV2."""

import keras


def build_encoder(width: float = 0.5, size: int | None = None) -> keras.Model:
    """Build the encoder, from pictures, float `[B, S, S, 3]` in 0..255, to features `[B, F]`.

    Args:
        width: Width multiplier of MobileNetV2 (arXiv 1801.04381, section 4), which sets F.
        size: S in pixels; None takes any size, as multi-crop needs.
    """
    pictures = keras.Input((size, size, 3), name="pictures")
    scaled = keras.layers.Rescaling(1 / 127.5, -1)(pictures)
    network = keras.applications.MobileNetV2(
        input_shape=(size, size, 3), alpha=width, include_top=False, weights=None, pooling="avg"
    )
    return keras.Model(pictures, network(scaled), name="encoder")
