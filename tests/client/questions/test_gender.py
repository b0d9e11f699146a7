"""The tensor contract of `predict`, without a server."""

import math
from typing import Any

import pytest

from genderclient import (
    BytesTensor,
    FloatTensor,
    InferenceRequest,
    InferenceResponse,
    InvalidNickname,
    Prediction,
    Probabilities,
    ProtocolError,
    Tensor,
    Weights,
    _avatar,
)
from genderclient._models import Metadata
from genderclient._questions import gender
from genderprep import limits, tensors

MODEL = "gender_mobilenet"
METADATA = Metadata(model=MODEL, version="3", latency_s=0.5, attempts=2, request_id="5f0c")


def response(**outputs: Tensor) -> InferenceResponse:
    defaults: dict[str, Tensor] = {
        "PROBABILITIES": FloatTensor("PROBABILITIES", (1, 2), (0.75, 0.25)),
        "WEIGHTS": FloatTensor("WEIGHTS", (1, 2), (0.5, 0.5)),
    }
    return InferenceResponse(model=MODEL, version="3", outputs=tuple((defaults | outputs).values()))


def floats(name: str, *values: float) -> dict[str, Tensor]:
    return {name: FloatTensor(name, (1, len(values)), values)}


@pytest.mark.parametrize(
    "name", ["AVATAR", "NICKNAME", "PROBABILITIES", "WEIGHTS", "EMBEDDING", "LABELS", "MODALITIES", "EMBEDDING_SIZE"]
)
def test_constants_equal_the_servers(name: str) -> None:
    assert getattr(gender, name) == getattr(tensors, name)


def test_limit_and_field_order_equal_the_servers() -> None:
    assert _avatar.MAX_AVATAR_BYTES == limits.MAX_AVATAR_BYTES
    assert Probabilities.__match_args__ == tensors.LABELS
    assert Weights.__match_args__ == tensors.MODALITIES


@pytest.mark.parametrize(
    ("avatar", "nickname", "values"),
    [(b"\x89PNG\0\0", "X国强🌸", [b"\x89PNG\0\0", "X国强🌸".encode()]), (b"", None, [b"", b""])],
)
def test_encode(avatar: bytes, nickname: str | None, values: list[bytes]) -> None:
    inputs = gender.encode(avatar=avatar, nickname=nickname)
    assert [(each.name, each.datatype, each.shape) for each in inputs] == [
        ("AVATAR", "BYTES", (1, 1)),
        ("NICKNAME", "BYTES", (1, 1)),
    ]
    assert [each.value for each in inputs] == values


def test_repr_of_request_omits_values() -> None:
    inputs = gender.encode(avatar=b"picture", nickname="secret")
    shown = repr(InferenceRequest(model=MODEL, inputs=inputs, timeout_s=1))
    assert "secret" not in shown
    assert "picture" not in shown


def test_lone_surrogate_is_rejected() -> None:
    with pytest.raises(InvalidNickname, match="lone surrogate at index 2"):
        gender.encode(avatar=b"", nickname="ab\ud83d")


def test_nickname_of_wrong_type_is_rejected() -> None:
    with pytest.raises(TypeError, match="nickname: got bytes, expected str or None"):
        gender.encode(avatar=b"", nickname=b"ab")  # type: ignore[arg-type]


def test_decode() -> None:
    assert gender.decode(response(), METADATA, unknown_below=0.6, embedding=False) == Prediction(
        probabilities=Probabilities(male=0.75, female=0.25),
        weights=Weights(avatar=0.5, nickname=0.5),
        unknown_below=0.6,
        **METADATA,
    )


def test_decode_embedding() -> None:
    values = tuple(float(i) for i in range(256))
    prediction = gender.decode(response(**floats("EMBEDDING", *values)), METADATA, unknown_below=0.6, embedding=True)
    assert prediction.embedding == values


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (floats("WEIGHTS", 1.0), r"output WEIGHTS is float32 of shape \(1, 1\), expected numbers of shape \(1, 2\)"),
        ({"WEIGHTS": BytesTensor("WEIGHTS", b"x")}, "output WEIGHTS is object"),
        (floats("PROBABILITIES", 0.9, 0.9), "does not sum to 1"),
        (floats("PROBABILITIES", math.nan, 0.5), "PROBABILITIES is not finite"),
    ],
)
def test_decode_rejects_violations_of_the_contract(outputs: dict[str, Any], message: str) -> None:
    with pytest.raises(ProtocolError, match=f"^{MODEL}: .*{message}"):
        gender.decode(response(**outputs), METADATA, unknown_below=0.6, embedding=False)


def test_decode_names_missing_output() -> None:
    with pytest.raises(ProtocolError, match="output EMBEDDING is missing, got"):
        gender.decode(response(), METADATA, unknown_below=0.6, embedding=True)
