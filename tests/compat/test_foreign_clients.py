"""Foreign clients of the v2 protocol receive the same outputs as the SDK."""

from base64 import b64encode
from typing import Any

from tests.compat.environment import run_script
from tests.compat.sdk import NO_IMAGE, USERS, assert_outputs_close, predict_users
from tests.support.tritonserver import Server


def arguments(model: str, **others: Any) -> dict[str, Any]:
    return {"model": model, "users": [as_json(*user) for user in USERS], **others}


def as_json(avatar: bytes, nickname: str) -> list[str]:
    return [b64encode(avatar).decode(), nickname]


def test_kserve_clients_agree_with_sdk(triton: Server) -> None:
    model = "gender_mobilenet"
    urls = {"http_url": triton.http_url, "grpc_url": triton.grpc_url}
    reports = run_script("kserve_clients.py", arguments(model, **urls, invalid=as_json(NO_IMAGE, "")))
    expected = predict_users(f"grpc://{triton.grpc_url}", model)
    for protocol, status in (("rest", 400), ("grpc", "INVALID_ARGUMENT")):
        assert_outputs_close(reports[protocol]["outputs"], expected)
        assert reports[protocol]["error"][0] == status
        assert "AVATAR: not an image" in reports[protocol]["error"][1]


def test_stubs_of_open_inference_protocol_agree_with_sdk(triton: Server) -> None:
    model = "gender_densenet"
    report = run_script("oip_stubs.py", arguments(model, grpc_url=triton.grpc_url))
    assert_outputs_close(report["outputs"], predict_users(f"grpc://{triton.grpc_url}", model))
    assert (report["live"], report["ready"], report["model_ready"], report["server"]) == (True, True, True, "triton")
    assert report["inputs"] == [["AVATAR", "BYTES", [-1, 1]], ["NICKNAME", "BYTES", [-1, 1]]]
