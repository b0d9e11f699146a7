"""Why the avatar was read as it was: the answer of an `explain` ensemble."""

import base64
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import numpy as np
from PIL import Image
from tritonclient.grpc import InferInput
from tritonclient.grpc.aio import InferenceServerClient

from genderprep.tensors import AVATAR, IMAGE, NICKNAME, PRESENT, TOKENS

from .steps import TIMEOUT_S

HEAT: Final = "HEAT"
LOGIT: Final = "LOGIT"


@dataclass(frozen=True)
class Explanation:
    """What the models see of a user, and where in the avatar an image tower sees the gender it answers.

    Attributes:
        version: Of the backbone whose image tower is explained.
        heat: Grad-CAM, [H][W], not negative; all 0 without an avatar.
        logit: Of the image tower alone: positive for female, negative for male.
        image: The pixels that the models see, as a PNG.
        tokens: Token ids of the nickname, padded.
        avatar_present, nickname_present: Whether the models count the input as present.
    """

    version: str
    heat: list[list[float]]
    logit: float
    image: bytes
    tokens: list[int]
    avatar_present: bool
    nickname_present: bool

    @property
    def image_url(self) -> str:
        return f"data:image/png;base64,{base64.b64encode(self.image).decode()}"


async def explain(triton: InferenceServerClient, model: str, avatar: bytes, nickname: str) -> Explanation:
    """Ask an ensemble of role `explain` about one user.

    Raises:
        InferenceServerException: The server rejects an input, or cannot be reached.
    """
    inputs = [_input(AVATAR, avatar), _input(NICKNAME, nickname.encode())]
    result = await triton.infer(model, inputs, client_timeout=TIMEOUT_S)
    heat, logit, pixels, tokens, present = (result.as_numpy(name)[0] for name in (HEAT, LOGIT, IMAGE, TOKENS, PRESENT))
    version = result.get_response().model_version
    return Explanation(version, heat.tolist(), float(logit[0]), _png(pixels), tokens.tolist(), *present.tolist())


def _input(name: str, value: bytes) -> InferInput:
    column = np.empty((1, 1), np.object_)
    column[0, 0] = value
    tensor = InferInput(name, column.shape, "BYTES")
    tensor.set_data_from_numpy(column)
    return tensor


def _png(pixels: Any) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
