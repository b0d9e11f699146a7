"""The two-tower model of the article: avatar and nickname, fused by attention; and each tower alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import keras
import numpy as np

from genderprep.tensors import (
    EMBEDDING,
    EMBEDDING_SIZE,
    IMAGE,
    IMAGE_SIZE,
    MAX_TOKENS,
    PRESENT,
    PROBABILITIES,
    TOKENS,
    WEIGHTS,
)
from genderprep.vocabulary import vocabulary

from ..arrays import Arrays, FloatsN1
from ..data.batches import Users
from ..evaluation.platt import PlattScaling
from ..layers import (
    AttentionFusion,
    Calibration,
    ConcatFusion,
    HandFeatures,
    HashedNgrams,
    MaskedMean,
    NgramScore,
    PositionEmbedding,
    TransformerEncoderLayer,
    is_token,
)
from .backbones import build_trunk
from .config import ConfigError

# The logits of P(female): fused, and of each tower for the auxiliary losses.
GENDER: Final = "gender"
AVATAR_ONLY: Final = "avatar_only"
NICKNAME_ONLY: Final = "nickname_only"


_FUSIONS: Final[dict[str, Callable[..., keras.layers.Layer]]] = {"attention": AttentionFusion, "concat": ConcatFusion}


def build_text_tower(
    size: int = 128,
    layers: int = 4,
    heads: int = 4,
    feed_forward: int = 512,
    mean_over_padding: bool = False,
    ngrams: bool = True,
) -> keras.Model:
    """Build the text tower, from token ids, int32 [B, T], to features, float [B, EMBEDDING_SIZE].

    T is at most MAX_TOKENS. Padding that a whole batch shares may be cut off, unless the mean includes it.

    Args:
        mean_over_padding: Whether the mean over the T steps includes padding, as in the article.
        ngrams: Whether the score of hashed n-grams joins the mean. The article has none.
    """
    tokens = keras.Input((None,), dtype="int32", name="ids")
    valid = keras.layers.Lambda(is_token, name="valid")(tokens)
    embeddings = keras.layers.Embedding(len(vocabulary()), size, name="embedding")(tokens)
    x = PositionEmbedding(MAX_TOKENS, name="positions")(embeddings)
    for index in range(layers):
        x = TransformerEncoderLayer(heads, feed_forward, name=f"encoder_{index + 1}")([x, valid])
    mean = keras.layers.GlobalAveragePooling1D()(x) if mean_over_padding else MaskedMean()([x, valid])
    if ngrams:
        mean = keras.layers.Concatenate(name="with_ngrams")([mean, NgramScore(name="ngrams")(tokens)])
    features = keras.layers.Dense(EMBEDDING_SIZE, activation="relu", name="projection")(mean)
    return keras.Model(tokens, features, name="text_tower")


def build_ngram_tower(max_n: int, buckets: int = 2**17, size: int = 10) -> keras.Model:
    """Build the text tower of FastText (arXiv 1607.01759), from token ids, int32 [B, T], to features, float [B, size].

    The features are the mean embedding of the hashed n-grams; see `HashedNgrams` for the arguments.
    """
    tokens = keras.Input((MAX_TOKENS,), dtype="int32", name="ids")
    ngrams = HashedNgrams(len(vocabulary()), buckets, max_n, name="ngrams")(tokens)
    valid = keras.layers.Lambda(is_token, name="valid")(ngrams)
    embeddings = keras.layers.Embedding(1 + buckets, size, name="embedding")(ngrams)
    return keras.Model(tokens, MaskedMean()([embeddings, valid]), name="text_tower")


def build_image_tower(backbone: str, size: int = IMAGE_SIZE, cbam: bool = False) -> keras.Model:
    """Build the image tower, from pixels, uint8 [B, S, S, 3], to features, float [B, EMBEDDING_SIZE]."""
    trunk = build_trunk(backbone, size, cbam)
    pixels = keras.Input((size, size, 3), dtype="uint8", name="pixels")
    features = keras.layers.Dense(EMBEDDING_SIZE, activation="relu", name="projection")(trunk(pixels))
    return keras.Model(pixels, features, name="image_tower")


def build_nickname_model(
    mean_over_padding: bool = False, max_ngram: int | None = None, ngrams: bool = True
) -> keras.Model:
    """Build a text tower, with `max_ngram` that of FastText, with a logit of its own: `TOKENS` to `NICKNAME_ONLY`."""
    tower = (
        build_text_tower(mean_over_padding=mean_over_padding, ngrams=ngrams)
        if max_ngram is None
        else build_ngram_tower(max_ngram)
    )
    tokens = keras.Input(tower.input.shape[1:], dtype="int32", name=TOKENS)
    logit = keras.layers.Dense(1, name=NICKNAME_ONLY)(tower(tokens))
    return keras.Model({TOKENS: tokens}, {NICKNAME_ONLY: logit}, name="nickname")


def build_avatar_model(backbone: str, size: int = IMAGE_SIZE, cbam: bool = False) -> keras.Model:
    """Build the image tower with a logit of its own, from `IMAGE` to `AVATAR_ONLY`."""
    image = keras.Input((size, size, 3), dtype="uint8", name=IMAGE)
    logit = keras.layers.Dense(1, name=AVATAR_ONLY)(build_image_tower(backbone, size, cbam)(image))
    return keras.Model({IMAGE: image}, {AVATAR_ONLY: logit}, name="avatar")


def build_fused_model(
    backbone: str,
    *,
    size: int = IMAGE_SIZE,
    mean_over_padding: bool = False,
    ngrams: bool = True,
    fusion: str = "attention",
    cbam: bool = False,
    hand_features: bool = False,
    dropout: float = 0.2,
) -> keras.Model:
    """Build both towers and their fusion, for training.

    The inputs are `IMAGE` [B, S, S, 3], `TOKENS` [B, T] and `PRESENT` [B, 2]. The outputs are the logits `GENDER`,
    `AVATAR_ONLY` and `NICKNAME_ONLY`, [B, 1] each. The layer `fusion` returns the embedding and the fusion weights.

    A hidden layer follows `attention`; `concat` contains one. Hand-crafted features join after the fusion.

    Raises:
        ConfigError: The fusion or the backbone is unknown, or the backbone has no CBAM variant.
    """
    if fusion not in _FUSIONS:
        raise ConfigError(f"expected a fusion of {', '.join(_FUSIONS)}, got {fusion!r}")
    image = keras.Input((size, size, 3), dtype="uint8", name=IMAGE)
    tokens = keras.Input((MAX_TOKENS,), dtype="int32", name=TOKENS)
    present = keras.Input((2,), dtype="bool", name=PRESENT)
    avatar = build_image_tower(backbone, size, cbam)(image)
    nickname = build_text_tower(mean_over_padding=mean_over_padding, ngrams=ngrams)(tokens)
    features, _ = _FUSIONS[fusion](name="fusion")([avatar, nickname, present])
    if hand_features:
        counts = HandFeatures(name="hand_features")([tokens, present])
        features = keras.layers.Concatenate(name="with_hand_features")([features, counts])
    if fusion == "attention":
        features = keras.layers.Dense(EMBEDDING_SIZE, activation="relu", name="head")(features)
    logits = {
        GENDER: keras.layers.Dense(1, name=GENDER)(keras.layers.Dropout(dropout)(features)),
        AVATAR_ONLY: keras.layers.Dense(1, name=AVATAR_ONLY)(avatar),
        NICKNAME_ONLY: keras.layers.Dense(1, name=NICKNAME_ONLY)(nickname),
    }
    return keras.Model({IMAGE: image, TOKENS: tokens, PRESENT: present}, logits, name=backbone)


def serving_model(trained: keras.Model, scaling: PlattScaling) -> keras.Model:
    """Build the model for Triton, with the inputs of `build_fused_model` and the outputs of `genderprep.tensors`."""
    fused, weights = trained.get_layer("fusion").output
    present = trained.input[PRESENT]
    probabilities = Calibration(scaling.lines.tolist(), name="calibration")([trained.output[GENDER], present])
    outputs = {PROBABILITIES: probabilities, WEIGHTS: weights, EMBEDDING: fused}
    return keras.Model(trained.input, {name: _named(name)(tensor) for name, tensor in outputs.items()})


def load_model(file: Path) -> keras.Model:
    """Load a model of `training.gender.train` for inference.

    Raises:
        FileNotFoundError: The file does not exist.
    """
    if not file.is_file():
        raise FileNotFoundError(f"no trained model {file}; `python -m training.gender.train` writes it")
    return keras.saving.load_model(file, compile=False)


def image_size(model: keras.Model) -> int:
    """Return the avatar size that a model expects; `IMAGE_SIZE` for the text tower alone."""
    size: int = model.input[IMAGE].shape[1] if IMAGE in model.input else IMAGE_SIZE
    return size


def main_logits(outputs: Arrays) -> FloatsN1:
    """Select the main logits of P(female) as float64: fused, or of the only tower."""
    logits: FloatsN1 = next(outputs[head] for head in (GENDER, AVATAR_ONLY, NICKNAME_ONLY) if head in outputs)
    return logits.astype(np.float64)


def predict_logits(model: keras.Model, users: Users) -> FloatsN1:
    """Predict the main logits of P(female) of users in memory."""
    return main_logits(model.predict(users.inputs(model.input), batch_size=64, verbose=0))


def _named(name: str) -> keras.layers.Layer:
    return keras.layers.Identity(name=name)
