"""The questions about pictures: `embed` and `similar`."""

from functools import partial
from numbers import Real
from typing import Final

from genderclient._avatar import Avatar, encode_picture
from genderclient._config.request_options import RequestOptions
from genderclient._missing import is_missing
from genderclient._models import Embedding, Metadata, Neighbors
from genderclient._questions.arguments import checked_id, checked_integer, encode_text, integer_tensor
from genderclient._questions.outputs import integers, numbers
from genderclient._questions.question import Question
from genderclient._transports.base import InferenceResponse
from genderclient._transports.tensors import BytesTensor, Tensor

EMBED: Final = "embed"
SIMILAR: Final = "similar"
VECTOR_SIZE: Final = 32
MAX_NEIGHBORS: Final = 100
# Pads shorter lists, and stands for a picture that has no id.
NO_PICTURE: Final = -1


def embed_question(picture: "Avatar | None", title: str | None, options: RequestOptions) -> Question[Embedding]:
    has_picture, has_title = not is_missing(picture), not is_missing(title)
    if not has_picture and not has_title:
        raise ValueError("picture: got none, and no title; pass at least one of the two")
    return Question(
        name=EMBED,
        model=EMBED,
        encode=lambda: (
            BytesTensor("PICTURE", _picture_bytes(picture, options)),
            BytesTensor("TITLE", encode_text("title", title)),
        ),
        decode=partial(_decode_embedding, has_picture=has_picture, has_title=has_title),
    )


def similar_question(picture: "Avatar | int", k: int, options: RequestOptions) -> Question[Neighbors]:
    k = checked_integer("k", k, 1, MAX_NEIGHBORS)
    if is_missing(picture):
        raise ValueError("picture: got none; pass a picture, or the id of one in the gallery")
    if isinstance(picture, int | Real):
        encode = partial(_encode_query, None, checked_id("picture", picture), k, options)
    else:
        encode = partial(_encode_query, picture, NO_PICTURE, k, options)
    return Question(name=SIMILAR, model=SIMILAR, encode=encode, decode=partial(_decode_neighbors, k=k))


def _encode_query(picture: "Avatar | None", picture_id: int, k: int, options: RequestOptions) -> tuple[Tensor, ...]:
    return (
        BytesTensor("PICTURE", _picture_bytes(picture, options)),
        integer_tensor("PICTURE_ID", [picture_id]),
        integer_tensor("K", [k]),
    )


def _picture_bytes(picture: "Avatar | None", options: RequestOptions) -> bytes:
    return b"" if is_missing(picture) else encode_picture(picture, allow_paths=options.allow_paths)


def _decode_embedding(
    response: InferenceResponse, metadata: Metadata, *, has_picture: bool, has_title: bool
) -> Embedding:
    return Embedding(
        vector=_decode_vector(response, "VECTOR") if has_picture else None,
        title_vector=_decode_vector(response, "TITLE_VECTOR") if has_title else None,
        **metadata,
    )


def _decode_vector(response: InferenceResponse, name: str) -> tuple[float, ...] | None:
    """Zeros stand for an input that counts as missing."""
    vector = numbers(response, name, VECTOR_SIZE)
    return vector if any(vector) else None


def _decode_neighbors(response: InferenceResponse, metadata: Metadata, *, k: int) -> Neighbors:
    pictures, (scores,) = decode_list(response, ("SCORES",), k)
    return Neighbors(pictures=pictures, scores=scores, **metadata)


def decode_list(
    response: InferenceResponse, names: tuple[str, ...], k: int
) -> tuple[tuple[int, ...], list[tuple[float, ...]]]:
    """Returns the first `k` ids of PICTURES without padding, and the numbers of each of `names` beside them."""
    pictures = integers(response, "PICTURES")
    columns = [numbers(response, name, len(pictures)) for name in names]
    length = min(k, pictures.index(NO_PICTURE) if NO_PICTURE in pictures else len(pictures))
    return pictures[:length], [column[:length] for column in columns]
