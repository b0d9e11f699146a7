"""The question of `predict`: avatar and nickname in, probabilities out.

The server states the same names in `genderprep.tensors`; a test compares them.
"""

import math
from functools import partial
from typing import Final

from genderclient._avatar import Avatar, encode_avatar
from genderclient._config.checks import check_type
from genderclient._config.request_options import RequestOptions
from genderclient._exceptions import InvalidNickname, ProtocolError
from genderclient._features import EMBEDDING_SIZE
from genderclient._missing import is_missing
from genderclient._models import Metadata, Prediction, Probabilities, Weights
from genderclient._questions.arguments import encode_text
from genderclient._questions.outputs import numbers
from genderclient._questions.question import Question
from genderclient._transports.base import InferenceResponse
from genderclient._transports.tensors import BytesTensor, Tensor

PREDICT: Final = "predict"

AVATAR: Final = "AVATAR"
NICKNAME: Final = "NICKNAME"

PROBABILITIES: Final = "PROBABILITIES"
WEIGHTS: Final = "WEIGHTS"
EMBEDDING: Final = "EMBEDDING"

LABELS: Final = ("male", "female")
MODALITIES: Final = ("avatar", "nickname")


def predict_question(
    avatar: "Avatar | None",
    nickname: str | None,
    embedding: bool,
    options: RequestOptions,
    avatar_error: str | None = None,
) -> Question[Prediction]:
    check_type("embedding", embedding, bool, "True or False")
    name = None if is_missing(nickname) else nickname
    return Question(
        name=PREDICT,
        model=options.model,
        encode=lambda: encode(avatar=picture_bytes(avatar, options), nickname=name),
        decode=partial(decode, unknown_below=options.unknown_below, embedding=embedding, avatar_error=avatar_error),
        without_avatar=None if name is None else partial(predict_question, None, name, embedding, options),
    )


def encode(*, avatar: bytes, nickname: str | None) -> tuple[Tensor, ...]:
    """Returns the inputs for one user. A missing input is empty.

    Requests always ask for all outputs: Triton's response cache returns the outputs of the first request to later
    ones.
    """
    return BytesTensor(AVATAR, avatar), BytesTensor(NICKNAME, encode_text("nickname", nickname, InvalidNickname))


def picture_bytes(avatar: "Avatar | None", options: RequestOptions) -> bytes:
    """Returns the encoded avatar, empty if it is missing."""
    return b"" if is_missing(avatar) else encode_avatar(avatar, allow_paths=options.allow_paths)


def decode(
    response: InferenceResponse,
    metadata: Metadata,
    *,
    unknown_below: float,
    embedding: bool,
    avatar_error: str | None = None,
) -> Prediction:
    """Returns the prediction in a response. Raises ProtocolError if an output violates the contract."""
    probabilities = Probabilities(*numbers(response, PROBABILITIES, len(LABELS)))
    if not math.isclose(probabilities.male + probabilities.female, 1, abs_tol=1e-3):
        raise ProtocolError(f"output {PROBABILITIES} does not sum to 1; check the model", model=response.model)
    return Prediction(
        probabilities=probabilities,
        weights=Weights(*numbers(response, WEIGHTS, len(MODALITIES))),
        unknown_below=unknown_below,
        embedding=numbers(response, EMBEDDING, EMBEDDING_SIZE) if embedding else None,
        avatar_error=avatar_error,
        **metadata,
    )
