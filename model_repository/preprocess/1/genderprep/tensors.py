"""Names, shapes and labels of the tensors that training, conversion and serving share.

Shapes leave out the batch dimension, which is Triton's. The article: DenseNet121 over the avatar, a transformer over
the nickname, fused by attention.
"""

from typing import Final

# Inputs of the ensembles about users: BYTES [1] each.
AVATAR: Final = "AVATAR"
NICKNAME: Final = "NICKNAME"

# Inputs of the ensembles about pictures, which `preprocess` prepares in the same way: BYTES [1] each.
PICTURE: Final = "PICTURE"
TITLE: Final = "TITLE"

# Between `preprocess` and the ONNX models: UINT8 [IMAGE_SIZE, IMAGE_SIZE, 3], INT32 [MAX_TOKENS], BOOL [2].
IMAGE: Final = "IMAGE"
TOKENS: Final = "TOKENS"
PRESENT: Final = "PRESENT"

# Outputs of the ONNX models and of the ensembles: FP32 [2], [2] and [EMBEDDING_SIZE].
PROBABILITIES: Final = "PROBABILITIES"
WEIGHTS: Final = "WEIGHTS"
EMBEDDING: Final = "EMBEDDING"

LABELS: Final = ("male", "female")
MODALITIES: Final = ("avatar", "nickname")

# WeChat serves avatars of 132 pixels: more input pixels would cost time and add no information.
IMAGE_SIZE: Final = 128
RESIZE_FILTER: Final = "bilinear"
MAX_TOKENS: Final = 32
EMBEDDING_SIZE: Final = 256
