"""The description of one question to a model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from genderclient._models import Metadata, ModelResult
from genderclient._transports.base import InferenceResponse
from genderclient._transports.tensors import Tensor

R = TypeVar("R", bound=ModelResult)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(Generic[R]):
    """One question to a model.

    Args:
        name: The client's method, such as "predict".
        model: The model to ask if neither the call nor an experiment names one.
        encode: Encodes the inputs; a file can be read only once.
        decode: Returns the result in a response. Raises ProtocolError if an output violates the contract.
        without_avatar: Makes the same question without the avatar, from the reason why that is invalid. None if nothing
            would be left to ask about.
    """

    name: str
    model: str
    encode: Callable[[], tuple[Tensor, ...]]
    decode: Callable[[InferenceResponse, Metadata], R]
    without_avatar: "Callable[[str], Question[R]] | None" = None
