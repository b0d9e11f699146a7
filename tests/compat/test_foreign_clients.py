"""The ensembles as clients see them that nobody here wrote; they have to say what the SDK says."""

from base64 import b64encode
from typing import Any

import pytest

from genderclient import Client
from tests.compat.environment import answer
from tests.pictures import encode, noise
from tests.tritonserver import Server

AVATAR = encode(noise(), "JPEG")
USERS = [(AVATAR, "X国强🌸"), (b"", "小美"), (AVATAR, ""), (b"", "")]
NO_IMAGE = "AVATAR: not an image"


def question(model: str) -> dict[str, Any]:
    return {"model": model, "users": [as_json(*user) for user in USERS]}


def as_json(avatar: bytes, nickname: str) -> list[str]:
    return [b64encode(avatar).decode(), nickname]


def check(answers: list[dict[str, list[float]]], triton: Server, model: str) -> None:
    """The answers to `USERS` are those that the SDK gets."""
    with Client(f"grpc://{triton.grpc_url}", model=model) as client:
        for (avatar, nickname), outputs in zip(USERS, answers, strict=True):
            said = client.predict(avatar=avatar or None, nickname=nickname or None, embedding=True)
            assert outputs["PROBABILITIES"] == pytest.approx([said.probabilities.male, said.probabilities.female])
            assert outputs["WEIGHTS"] == pytest.approx([said.weights.avatar, said.weights.nickname])
            assert outputs["EMBEDDING"] == pytest.approx(said.embedding, rel=1e-5)


def test_kserves_clients(triton: Server) -> None:
    model = "gender_mobilenet"
    refused = as_json(b"not an image", "")
    urls = {"http_url": triton.http_url, "grpc_url": triton.grpc_url}
    said = answer("kserve_clients.py", {**urls, **question(model), "refused": refused})
    check(said["rest"]["answers"], triton, model)
    check(said["grpc"]["answers"], triton, model)
    assert said["rest"]["refused"][0] == 400
    assert said["grpc"]["refused"][0] == "INVALID_ARGUMENT"
    assert all(NO_IMAGE in protocol["refused"][1] for protocol in said.values())


def test_stubs_of_the_protocols_own_proto(triton: Server) -> None:
    model = "gender_densenet"
    said = answer("oip_stubs.py", {"grpc_url": triton.grpc_url, **question(model)})
    check(said["answers"], triton, model)
    assert (said["live"], said["ready"], said["model_ready"], said["server"]) == (True, True, True, "triton")
    assert said["inputs"] == [["AVATAR", "BYTES", [-1, 1]], ["NICKNAME", "BYTES", [-1, 1]]]
