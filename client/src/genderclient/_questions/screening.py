"""The question of `screen`: a picture in, what it has and whether it may be shown out.

`labels.txt` of the model states the same attributes; a test compares them.
"""

from typing import Final

from genderclient._avatar import Avatar, encode_picture
from genderclient._config.request_options import RequestOptions
from genderclient._exceptions import ProtocolError
from genderclient._missing import is_missing
from genderclient._models import Metadata, Screening
from genderclient._questions.outputs import booleans, numbers
from genderclient._questions.question import Question
from genderclient._transports.base import InferenceResponse
from genderclient._transports.tensors import BytesTensor

SCREEN: Final = "screen"
ATTRIBUTES: Final = (
    "blurred",
    "low_resolution",
    "text_overlay",
    "collage",
    "white_background",
    "solid_background",
    "several_subjects",
    "illustration",
    "empty_slot",
    "error_page",
    "unsuitable",
)
# The networks of the cascade.
_NETWORKS: Final = 2


def screen_question(picture: "Avatar | None", options: RequestOptions) -> Question[Screening]:
    if is_missing(picture):
        raise ValueError("picture: got none; pass the picture to screen")
    return Question(
        name=SCREEN,
        model=SCREEN,
        encode=lambda: (BytesTensor("PICTURE", encode_picture(picture, allow_paths=options.allow_paths)),),
        decode=_decode,
    )


def _decode(response: InferenceResponse, metadata: Metadata) -> Screening:
    refused = booleans(response, "REFUSED", len(ATTRIBUTES))
    (suitable,) = booleans(response, "SUITABLE", 1)
    if suitable and any(refused):
        raise ProtocolError("output SUITABLE contradicts REFUSED; check the model", model=response.model)
    first, second = numbers(response, "SCORES", _NETWORKS)
    return Screening(
        suitable=suitable,
        reasons=tuple(name for name, refuses in zip(ATTRIBUTES, refused, strict=True) if refuses),
        attributes=dict(zip(ATTRIBUTES, numbers(response, "ATTRIBUTES", len(ATTRIBUTES)), strict=True)),
        scores=(first, second),
        **metadata,
    )
