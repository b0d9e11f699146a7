"""Layers of the article, one idea a file, written with `keras.ops` only."""

from .calibration import Calibration
from .fusion import AttentionFusion
from .transformer import MaskedMean, PositionEmbedding, TransformerEncoderLayer

__all__ = ["AttentionFusion", "Calibration", "MaskedMean", "PositionEmbedding", "TransformerEncoderLayer"]
