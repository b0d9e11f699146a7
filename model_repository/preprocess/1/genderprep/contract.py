"""The tensor contract: every size, limit, label and tensor name that training, conversion and serving share.

Shapes leave out the batch dimension, which is Triton's.
"""

from enum import StrEnum
from typing import ClassVar, Final

# Inputs of the ensembles.
AVATAR: Final = "AVATAR"
NICKNAME: Final = "NICKNAME"

# Between `preprocess` and the ONNX models.
IMAGE: Final = "IMAGE"
TOKENS: Final = "TOKENS"
PRESENT: Final = "PRESENT"

# Outputs of the ONNX models and of the ensembles.
PROBABILITIES: Final = "PROBABILITIES"
WEIGHTS: Final = "WEIGHTS"
EMBEDDING: Final = "EMBEDDING"

LABELS: Final = ("male", "female")
MODALITIES: Final = ("avatar", "nickname")

# WeChat serves avatars of 132 pixels: more input pixels would cost time and carry nothing.
IMAGE_SIZE: Final = 128
RESIZE_FILTER: Final = "bilinear"
MAX_TOKENS: Final = 32
EMBEDDING_SIZE: Final = 256

MAX_AVATAR_BYTES: Final = 10 * 2**20
MAX_AVATAR_PIXELS: Final = 32 * 10**6
MAX_NICKNAME_BYTES: Final = 4096

AVATAR_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP")

# Nicknames that a platform hands out to everybody: they say nothing about the user.
SENTINEL_NICKNAMES: Final = ("微信用户", "WeChat User")

# Vocabulary ids that mean something by themselves; characters and emoji follow.
PAD: Final = "<PAD>"
UNK: Final = "<UNK>"
EMPTY: Final = "<EMPTY>"
CLASSES: Final = (
    "<EMOJI>",
    "<HAN>",
    "<LATIN>",
    "<KANA>",
    "<HANGUL>",
    "<CYRILLIC>",
    "<ARABIC>",
    "<DIGIT>",
    "<PUNCT>",
    "<SYMBOL>",
    "<OTHER>",
)
SPECIAL_TOKENS: Final = (PAD, UNK, EMPTY, *CLASSES)


class AvatarFault(StrEnum):
    """Why an avatar is refused; operators see these counted."""

    TOO_MANY_BYTES = "too_many_bytes"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_MANY_PIECES = "too_many_pieces"
    NOT_AN_IMAGE = "not_an_image"
    DAMAGED = "damaged"


class NicknameFault(StrEnum):
    """Why a nickname is refused; operators see these counted."""

    TOO_MANY_BYTES = "too_many_bytes"
    NOT_UTF8 = "not_utf8"


class InvalidInput(ValueError):
    """One request's input cannot be used; the message names the tensor, the reason and the limit."""

    tensor: ClassVar[str]
    faults: ClassVar[type[AvatarFault | NicknameFault]]

    def __init__(self, fault: AvatarFault | NicknameFault, message: str) -> None:
        super().__init__(f"{self.tensor}: {message}")
        self.fault = fault


class InvalidAvatar(InvalidInput):
    """`AVATAR` is not an image within the limits."""

    tensor = AVATAR
    faults = AvatarFault

    def __init__(self, fault: AvatarFault, message: str) -> None:
        super().__init__(fault, message)


class InvalidNickname(InvalidInput):
    """`NICKNAME` is not UTF-8 within the limits."""

    tensor = NICKNAME
    faults = NicknameFault

    def __init__(self, fault: NicknameFault, message: str) -> None:
        super().__init__(fault, message)
