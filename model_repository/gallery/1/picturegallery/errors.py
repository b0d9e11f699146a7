"""Why a request or a gallery is refused. No message repeats an input."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """Why an input is refused; the value is a metric label."""

    TOO_MANY_IDS = "too_many_ids"
    ALL_UNKNOWN = "all_unknown"
    NEGATIVE = "negative"
    NO_PROBABILITY = "no_probability"
    NOT_FINITE = "not_finite"
    MISSING = "missing"
    AMBIGUOUS = "ambiguous"
    OUT_OF_RANGE = "out_of_range"


class InvalidInput(ValueError):
    """An input of one request cannot be used; the message names the tensor, the reason and the limit."""

    def __init__(self, tensor: str, fault: Fault, message: str) -> None:
        super().__init__(f"{tensor}: {message}")
        self.tensor = tensor
        self.fault = fault


class GalleryError(RuntimeError):
    """The files of a gallery cannot be served; the message names the file and what was expected."""
