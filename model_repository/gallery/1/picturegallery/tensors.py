"""Names and limits of the gallery's tensors. Shapes leave out the batch dimension, which is Triton's."""

from typing import Final

# Outputs of picture_encoder: FP32 [dims], unit vectors; zeros for a picture or a title that is missing.
VECTOR: Final = "VECTOR"
TITLE_VECTOR: Final = "TITLE_VECTOR"

# Inputs of the ensemble similar: BYTES [1], and INT64 [1] each, which are optional.
PICTURE: Final = "PICTURE"
PICTURE_ID: Final = "PICTURE_ID"
K: Final = "K"
NO_ID: Final = -1
DEFAULT_K: Final = 10
MAX_K: Final = 100

# Outputs of similar: INT64 [K] and FP32 [K], the most similar first; NO_ID and NO_SCORE pad a shorter list.
PICTURES: Final = "PICTURES"
SCORES: Final = "SCORES"
NO_SCORE: Final = -1.0
