"""Layers, one idea per file, written with `keras.ops` only."""

from .calibration import Calibration
from .cbam import CBAM
from .fusion import AttentionFusion, ConcatFusion
from .hand_features import HandFeatures
from .ngrams import HashedNgrams
from .transformer import MaskedMean, PositionEmbedding, TransformerEncoderLayer

__all__ = [
    "CBAM",
    "AttentionFusion",
    "Calibration",
    "ConcatFusion",
    "HandFeatures",
    "HashedNgrams",
    "MaskedMean",
    "PositionEmbedding",
    "TransformerEncoderLayer",
]
