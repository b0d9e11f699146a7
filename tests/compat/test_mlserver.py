"""The SDK with MLServer, another server of the Open Inference Protocol."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from genderclient import Client, InvalidAvatar, ModelNotFound, ServerError
from server.catalog import Catalog
from tests.compat.sdk import NO_IMAGE, assert_outputs_close, predict_users
from tests.support.tritonserver import ROOT, Server, free_ports

PROGRAMS = Path(sys.prefix) / "peers" / "mlserver" / "bin"
REPOSITORY = ROOT / "model_repository"
MODEL = "gender_mobilenet"

pytestmark = pytest.mark.skipif(
    not PROGRAMS.is_dir(), reason="MLServer is not installed: make .venv/peers/mlserver.stamp"
)


def environment(http: int, grpc: int, metrics: int) -> dict[str, str]:
    settings = {
        **{"HTTP_PORT": str(http), "GRPC_PORT": str(grpc), "METRICS_PORT": str(metrics), "HOST": "127.0.0.1"},
        **{"PARALLEL_WORKERS": "0", "DEBUG": "false", "MODEL_NAME": MODEL, "MODEL_VERSION": "7"},
        "MODEL_IMPLEMENTATION": "tests.compat.mlserver_app.GenderModel",
    }
    return {f"MLSERVER_{name}": value for name, value in settings.items()} | {
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(REPOSITORY / "preprocess" / "1"))),
        "PATH": os.pathsep.join((str(PROGRAMS), os.environ["PATH"])),
        "ONNX_FILE": str(Catalog(REPOSITORY).served_onnx("mobilenet")),
    }


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder, ports = tmp_path_factory.mktemp("mlserver"), free_ports(3)
    with (folder / "log").open("wb") as log:
        command = [str(PROGRAMS / "mlserver"), "start", str(folder)]
        process = subprocess.Popen(command, cwd=folder, env=os.environ | environment(*ports), stdout=log, stderr=log)
    try:
        with Client(f"grpc://127.0.0.1:{ports[1]}") as client:
            client.wait_until_ready(timeout_s=90)
        yield {"grpc": f"grpc://127.0.0.1:{ports[1]}", "http": f"http://127.0.0.1:{ports[0]}"}
    finally:
        process.kill()
        process.wait()


def test_mlserver_agrees_with_triton_over_grpc(urls: dict[str, str], triton: Server) -> None:
    assert_outputs_close(predict_users(urls["grpc"], MODEL), predict_users(f"grpc://{triton.grpc_url}", MODEL))


def test_sdk_translates_errors_of_mlserver(urls: dict[str, str]) -> None:
    with Client(urls["grpc"]) as client:
        assert client.predict(nickname="小美").version == "7"
        with pytest.raises(InvalidAvatar, match="AVATAR: not an image"):
            client.predict(avatar=NO_IMAGE)
        with pytest.raises(ModelNotFound, match="gender_resnet"):
            client.predict(model="gender_resnet")


def test_mlserver_lacks_binary_tensors_over_http(urls: dict[str, str]) -> None:
    """The binary extension is optional in the protocol. Without it, an image would have to be sent as text."""
    with Client(urls["http"]) as client, pytest.raises(ServerError, match="HTTP 422"):
        client.predict(nickname="小美")
