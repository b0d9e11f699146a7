"""Both transports against a real Triton that serves the stand-in model."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from genderclient import (
    Client,
    DeadlineExceeded,
    InvalidAvatar,
    InvalidNickname,
    ModelNotFound,
    ProtocolError,
    ServerError,
    User,
    Weights,
)
from tests.support.tritonserver import ROOT, running_triton

IO: Final = """
backend: "python"
max_batch_size: 8
input [
  { name: "AVATAR" data_type: TYPE_STRING dims: [ 1 ] },
  { name: "NICKNAME" data_type: TYPE_STRING dims: [ 1 ] }
]
output [
  { name: "PROBABILITIES" data_type: TYPE_FP32 dims: [ 2 ] },
  { name: "WEIGHTS" data_type: TYPE_FP32 dims: [ 2 ] },
  { name: "EMBEDDING" data_type: TYPE_FP32 dims: [ 256 ] }
]
"""
VERSION: Final = "7"


def add_model(repository: Path, name: str, config: str) -> None:
    version = repository / name / VERSION
    version.mkdir(parents=True)
    (repository / name / "config.pbtxt").write_text(
        config + f"version_policy: {{ specific: {{ versions: {VERSION} }} }}"
    )
    shutil.copy(ROOT / "tests/support/client/echo_model.py", version / "model.py")


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    repository = tmp_path_factory.mktemp("models")
    add_model(repository, "gender_mobilenet", IO)
    add_model(repository, "older_contract", IO.replace("NICKNAME", "NAME"))
    with running_triton(repository) as triton:
        yield {"grpc": f"grpc://{triton.grpc_url}", "http": f"http://{triton.http_url}"}


@pytest.fixture(params=["grpc", "http"])
def client(request: pytest.FixtureRequest, urls: dict[str, str]) -> Iterator[Client]:
    with Client(urls[request.param], timeout_s=5) as client:
        yield client


def test_prediction(client: Client) -> None:
    prediction = client.predict(avatar=b"\x89PNG\0\0", nickname="X国强🌸")
    assert (prediction.gender, prediction.probability) == ("male", 0.75)
    assert (prediction.model, prediction.version) == ("gender_mobilenet", VERSION)
    assert prediction.weights == Weights(avatar=0.5, nickname=0.5)
    assert prediction.embedding is None


def test_every_byte_arrives(client: Client) -> None:
    avatar, nickname = b"\x89PNG\0\0", "X国强🌸"
    embedding = client.predict(avatar=avatar, nickname=nickname, embedding=True).embedding
    assert embedding == (len(avatar), len(nickname.encode()), *[0.0] * 254)


def test_the_largest_avatar_arrives(client: Client) -> None:
    embedding = client.predict(avatar=bytes(10 * 2**20), embedding=True).embedding
    assert embedding is not None
    assert embedding[0] == 10 * 2**20


def test_an_array_arrives(client: Client) -> None:
    assert client.predict(avatar=np.zeros((9, 9, 3), np.uint8)).weights == Weights(avatar=1, nickname=0)


def test_nothing_shown_is_unknown(client: Client) -> None:
    prediction = client.predict()
    assert (prediction.gender, prediction.weights) == ("unknown", Weights(avatar=0, nickname=0))


def test_refused_avatar(client: Client) -> None:
    with pytest.raises(InvalidAvatar, match=r"^gender_mobilenet: refused by the server: AVATAR: not an image$"):
        client.predict(avatar=b"not an image")
    assert client.is_ready()


def test_refused_nickname(client: Client) -> None:
    with pytest.raises(InvalidNickname, match="NICKNAME: too long"):
        client.predict(nickname="refuse")


def test_failed_model(client: Client) -> None:
    with pytest.raises(ServerError, match="the model broke"):
        client.predict(nickname="fail")


def test_unknown_model(client: Client) -> None:
    with pytest.raises(ModelNotFound, match=r"^gender_resnet: .*'gender_resnet' is not found"):
        client.predict(model="gender_resnet")
    assert not client.is_ready(model="gender_resnet")


def test_model_of_another_contract(client: Client) -> None:
    with pytest.raises(ProtocolError, match=r"^older_contract: .*of the same release"):
        client.predict(model="older_contract")


def test_deadline(client: Client) -> None:
    with pytest.raises(DeadlineExceeded, match=r"no answer within 0\.2 s"):
        client.predict(nickname="sleep", timeout_s=0.2)
    client.wait_until_ready(timeout_s=5)


def test_threads_share_a_client(client: Client) -> None:
    nicknames = ["名" * (index + 1) for index in range(64)]
    with ThreadPoolExecutor(16) as pool:
        embeddings = pool.map(lambda nickname: client.predict(nickname=nickname, embedding=True).embedding, nicknames)
        assert [embedding and embedding[1] for embedding in embeddings] == [len(name.encode()) for name in nicknames]


def test_threads_leave_no_file_descriptor(urls: dict[str, str]) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    with Client(urls["http"]) as client:
        client.predict()
        before = open_files()
        for _ in range(5):
            with ThreadPoolExecutor(1) as pool:
                pool.submit(client.predict).result()
        assert open_files() == before


def test_20_000_calls_leave_nothing_behind(urls: dict[str, str]) -> None:
    def resources() -> tuple[int, int, int]:
        """Descriptors, threads, KiB of memory."""
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return len(list(Path("/proc/self/fd").iterdir())), int(status["Threads"]), int(status["VmRSS"].split()[0])

    def ask(client: Client, times: int) -> None:
        users = (User(nickname="小美") for _ in range(times))
        assert all(scored.prediction for scored in client.predict_many(users, concurrency=8))

    for url in urls.values():
        with Client(url) as client:
            ask(client, 1000)
            seen = [resources()]
            for _ in range(3):
                ask(client, 3000)
                seen.append(resources())
        # What leaks grows every time; a pool or an arena of malloc grows once.
        growth = [[now - then for now, then in zip(*pair, strict=True)] for pair in pairwise(seen)]
        descriptors, threads, memory_kib = map(min, zip(*growth, strict=True))
        assert max(descriptors, threads) <= 0
        assert memory_kib < 2 * 1024


def test_predict_asks_the_server_of_the_environment_and_leaves_quietly(urls: dict[str, str]) -> None:
    script = "from genderclient import predict; print(predict(nickname='小美').version)"
    run = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"GENDERCLIENT_URL": urls["grpc"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (run.stdout, run.stderr) == (f"{VERSION}\n", "")
