"""The SDK on another server that speaks the Open Inference Protocol: MLServer with the same contract and network."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from genderclient import Client, InvalidAvatar, ModelNotFound, ServerError
from tests.compat.users import NO_IMAGE, check_same, predict
from tests.support.tritonserver import ROOT, Server, free_ports

PROGRAMS = Path(sys.prefix) / "peers" / "mlserver" / "bin"
MODEL = "gender_mobilenet"

pytestmark = pytest.mark.skipif(
    not PROGRAMS.is_dir(), reason="MLServer is not installed: make .venv/peers/mlserver.stamp"
)


def variables(ports: list[int]) -> Mapping[str, str]:
    at = dict(zip(("HTTP_PORT", "GRPC_PORT", "METRICS_PORT"), map(str, ports), strict=True))
    settings = {"HOST": "127.0.0.1", "PARALLEL_WORKERS": "0", "DEBUG": "false"}
    model = {"MODEL_NAME": MODEL, "MODEL_VERSION": "7", "MODEL_IMPLEMENTATION": "tests.compat.mlserver_app.Gender"}
    (onnx_file,) = (ROOT / "model_repository" / "mobilenet").glob("*/model.onnx")
    modules = os.pathsep.join((str(ROOT), str(ROOT / "model_repository" / "preprocess" / "1")))
    return {f"MLSERVER_{name}": value for name, value in {**at, **settings, **model}.items()} | {
        "PYTHONPATH": modules,
        "PATH": os.pathsep.join((str(PROGRAMS), os.environ["PATH"])),
        "ONNX_FILE": str(onnx_file),
    }


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder, ports = tmp_path_factory.mktemp("mlserver"), free_ports(3)
    with (folder / "log").open("wb") as log:
        environment = {**os.environ, **variables(ports)}
        process = subprocess.Popen(
            [PROGRAMS / "mlserver", "start", folder], cwd=folder, env=environment, stdout=log, stderr=log
        )
    try:
        with Client(f"grpc://127.0.0.1:{ports[1]}") as client:
            client.wait_until_ready(timeout_s=90)
        yield {"grpc": f"grpc://127.0.0.1:{ports[1]}", "http": f"http://127.0.0.1:{ports[0]}"}
    finally:
        process.kill()
        process.wait()


def test_by_grpc_it_says_what_triton_says(urls: dict[str, str], triton: Server) -> None:
    check_same(predict(urls["grpc"], MODEL), predict(f"grpc://{triton.grpc_url}", MODEL))


def test_by_grpc_its_errors_are_understood(urls: dict[str, str]) -> None:
    with Client(urls["grpc"]) as client:
        assert client.predict(nickname="小美").version == "7"
        with pytest.raises(InvalidAvatar, match="AVATAR: not an image"):
            client.predict(avatar=NO_IMAGE)
        with pytest.raises(ModelNotFound, match="gender_resnet"):
            client.predict(model="gender_resnet")


def test_by_http_it_does_not_know_the_binary_extension(urls: dict[str, str]) -> None:
    """The protocol leaves it open; without it a picture would travel as text, which it is not."""
    with Client(urls["http"]) as client, pytest.raises(ServerError, match="HTTP 422"):
        client.predict(nickname="小美")
