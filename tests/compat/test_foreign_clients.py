"""The ensembles as clients see them that nobody here wrote; they have to hear what the SDK hears."""

from base64 import b64encode
from typing import Any

from tests.compat.environment import answer
from tests.compat.users import NO_IMAGE, USERS, check_same, predict
from tests.support.tritonserver import Server


def question(model: str) -> dict[str, Any]:
    return {"model": model, "users": [as_json(*user) for user in USERS]}


def as_json(avatar: bytes, nickname: str) -> list[str]:
    return [b64encode(avatar).decode(), nickname]


def test_kserves_clients(triton: Server) -> None:
    model = "gender_mobilenet"
    urls = {"http_url": triton.http_url, "grpc_url": triton.grpc_url}
    said = answer("kserve_clients.py", {**urls, **question(model), "refused": as_json(NO_IMAGE, "")})
    expected = predict(f"grpc://{triton.grpc_url}", model)
    check_same(said["rest"]["answers"], expected)
    check_same(said["grpc"]["answers"], expected)
    assert said["rest"]["refused"][0] == 400
    assert said["grpc"]["refused"][0] == "INVALID_ARGUMENT"
    assert all("AVATAR: not an image" in protocol["refused"][1] for protocol in said.values())


def test_stubs_of_the_protocols_own_proto(triton: Server) -> None:
    model = "gender_densenet"
    said = answer("oip_stubs.py", {"grpc_url": triton.grpc_url, **question(model)})
    check_same(said["answers"], predict(f"grpc://{triton.grpc_url}", model))
    assert (said["live"], said["ready"], said["model_ready"], said["server"]) == (True, True, True, "triton")
    assert said["inputs"] == [["AVATAR", "BYTES", [-1, 1]], ["NICKNAME", "BYTES", [-1, 1]]]
