"""Why an input is refused. No message repeats the input."""

from enum import StrEnum
from typing import ClassVar

from .tensors import AVATAR, NICKNAME


class AvatarFault(StrEnum):
    """Why an avatar is refused; the value is a metric label."""

    TOO_MANY_BYTES = "too_many_bytes"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_MANY_PIECES = "too_many_pieces"
    NOT_AN_IMAGE = "not_an_image"
    DAMAGED = "damaged"


class NicknameFault(StrEnum):
    """Why a nickname is refused; the value is a metric label."""

    TOO_MANY_BYTES = "too_many_bytes"
    NOT_UTF8 = "not_utf8"


class InvalidInput(ValueError):
    """An input of one request cannot be used; the message names the tensor, the reason and the limit.

    `tensor` is the input that the client sent; `preprocess` sets it for ensembles whose inputs have other names.
    """

    tensor: str
    faults: ClassVar[type[AvatarFault | NicknameFault]]

    def __init__(self, fault: AvatarFault | NicknameFault, message: str) -> None:
        super().__init__(message)
        self.fault = fault

    def __str__(self) -> str:
        return f"{self.tensor}: {self.args[0]}"


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
