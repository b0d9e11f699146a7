"""Arguments to tensors and tensors to predictions, without a server."""

import math

import pytest

from genderclient import (
    FloatTensor,
    InferenceRequest,
    InferenceResponse,
    InvalidNickname,
    Prediction,
    Probabilities,
    ProtocolError,
    Weights,
    _avatar,
    _codec,
)
from genderprep import limits
from genderprep import tensors as contract

MODEL = "gender_mobilenet"


def encode(nickname: str | None = None, avatar: bytes = b"") -> InferenceRequest:
    return _codec.encode(avatar=avatar, nickname=nickname, model=MODEL, timeout_s=1.0, headers={})


def response(**outputs: tuple[float, ...]) -> InferenceResponse:
    tensors = {"PROBABILITIES": (0.75, 0.25), "WEIGHTS": (0.5, 0.5)} | outputs
    return InferenceResponse(
        model=MODEL,
        version="3",
        outputs=tuple(FloatTensor(name, (1, len(values)), values) for name, values in tensors.items()),
    )


@pytest.mark.parametrize(
    "name", ["AVATAR", "NICKNAME", "PROBABILITIES", "WEIGHTS", "EMBEDDING", "LABELS", "MODALITIES", "EMBEDDING_SIZE"]
)
def test_constants_are_the_contracts(name: str) -> None:
    assert getattr(_codec, name) == getattr(contract, name)


def test_avatar_limit_is_the_contracts() -> None:
    assert _avatar.MAX_AVATAR_BYTES == limits.MAX_AVATAR_BYTES


def test_probability_and_weight_fields_follow_the_contracts_order() -> None:
    assert Probabilities.__match_args__ == contract.LABELS
    assert Weights.__match_args__ == contract.MODALITIES


def test_encode_sends_utf8() -> None:
    request = encode("X国强🌸", avatar=b"\x89PNG\0\0")
    assert [(tensor.name, tensor.value) for tensor in request.inputs] == [
        ("AVATAR", b"\x89PNG\0\0"),
        ("NICKNAME", "X国强🌸".encode()),
    ]


def test_encode_sends_nothing_as_empty_bytes() -> None:
    assert [tensor.value for tensor in encode().inputs] == [b"", b""]


def test_a_request_never_shows_the_user() -> None:
    shown = repr(encode("secret", avatar=b"picture"))
    assert "secret" not in shown
    assert "picture" not in shown


def test_lone_surrogate_is_refused() -> None:
    with pytest.raises(InvalidNickname, match="lone surrogate at index 2"):
        encode("ab\ud83d")


def test_nickname_must_be_text() -> None:
    with pytest.raises(TypeError, match="nickname: got bytes, expected str or None"):
        encode(b"ab")  # type: ignore[arg-type]


def test_decode() -> None:
    prediction = _codec.decode(response(), unknown_below=0.6, embedding=False)
    assert prediction == Prediction(
        probabilities=Probabilities(male=0.75, female=0.25),
        weights=Weights(avatar=0.5, nickname=0.5),
        model=MODEL,
        version="3",
        unknown_below=0.6,
    )


def test_decode_embedding() -> None:
    values = tuple(float(i) for i in range(256))
    assert _codec.decode(response(EMBEDDING=values), unknown_below=0.6, embedding=True).embedding == values


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"WEIGHTS": (1.0,)}, r"output WEIGHTS has shape \(1, 1\), expected \(1, 2\)"),
        ({"PROBABILITIES": (0.9, 0.9)}, "does not sum to 1"),
        ({"PROBABILITIES": (math.nan, 0.5)}, "PROBABILITIES is not finite"),
    ],
)
def test_decode_refuses_what_breaks_the_contract(outputs: dict[str, tuple[float, ...]], message: str) -> None:
    with pytest.raises(ProtocolError, match=f"^{MODEL}: .*{message}"):
        _codec.decode(response(**outputs), unknown_below=0.6, embedding=False)


def test_decode_names_the_missing_output() -> None:
    with pytest.raises(ProtocolError, match="output EMBEDDING is missing, got"):
        _codec.decode(response(), unknown_below=0.6, embedding=True)
