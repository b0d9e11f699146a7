"""Layers, one idea per file, written with `keras.ops` only."""

from .attentive_pooling import AttentivePooling as AttentivePooling
from .attentive_pooling import MultiQueryAttentivePooling as MultiQueryAttentivePooling
from .calibration import Calibration as Calibration
from .cbam import CBAM as CBAM
from .channel_prelu import ChannelPReLU as ChannelPReLU
from .compressor import Compressor as Compressor
from .fusion import AttentionFusion as AttentionFusion
from .fusion import ConcatFusion as ConcatFusion
from .hand_features import HandFeatures as HandFeatures
from .ngram_score import NgramScore as NgramScore
from .ngrams import HashedNgrams as HashedNgrams
from .pooling import ConcatPooling as ConcatPooling
from .pooling import MaxPooling as MaxPooling
from .pooling import SumPooling as SumPooling
from .taste_mixture import TasteMixture as TasteMixture
from .transformer import MaskedMean as MaskedMean
from .transformer import PositionEmbedding as PositionEmbedding
from .transformer import TransformerEncoderLayer as TransformerEncoderLayer
from .transformer import is_token as is_token
