"""Layers, one idea per file, written with `keras.ops` only."""

from .calibration import Calibration as Calibration
from .cbam import CBAM as CBAM
from .compressor import Compressor as Compressor
from .fusion import AttentionFusion as AttentionFusion
from .fusion import ConcatFusion as ConcatFusion
from .hand_features import HandFeatures as HandFeatures
from .ngram_score import NgramScore as NgramScore
from .ngrams import HashedNgrams as HashedNgrams
from .transformer import MaskedMean as MaskedMean
from .transformer import PositionEmbedding as PositionEmbedding
from .transformer import TransformerEncoderLayer as TransformerEncoderLayer
from .transformer import is_token as is_token
