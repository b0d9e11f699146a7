"""The one preprocessing: Triton loads this folder, and training imports the same folder."""

from .digest import PrepMismatch, check_probes, prep_digest
from .errors import InvalidAvatar, InvalidInput, InvalidNickname
from .image import prepare_image
from .text import prepare_text

__all__ = [
    "InvalidAvatar",
    "InvalidInput",
    "InvalidNickname",
    "PrepMismatch",
    "check_probes",
    "prep_digest",
    "prepare_image",
    "prepare_text",
]
