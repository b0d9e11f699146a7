"""Both protocols on a real Triton that serves a stand-in model."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from genderclient import (
    Client,
    DeadlineExceeded,
    GenderClientError,
    InvalidAvatar,
    InvalidNickname,
    ModelNotFound,
    ProtocolError,
    ServerError,
    User,
    Weights,
)
from tests.support.client.model_repository import GENDER_IO, add_model
from tests.support.tritonserver import running_triton

VERSION: Final = 7


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    repository = tmp_path_factory.mktemp("models")
    add_model(repository, "gender_mobilenet", GENDER_IO, version=VERSION)
    add_model(repository, "older_contract", GENDER_IO.replace("NICKNAME", "NAME"))
    with running_triton(repository) as triton:
        yield {"grpc": f"grpc://{triton.grpc_url}", "http": f"http://{triton.http_url}"}


@pytest.fixture(params=["grpc", "http"])
def client(request: pytest.FixtureRequest, urls: dict[str, str]) -> Iterator[Client]:
    with Client(urls[request.param], timeout_s=5) as client:
        yield client


def test_prediction(client: Client) -> None:
    avatar, nickname = b"\x89PNG\0\0", "X国强🌸"
    prediction = client.predict(avatar=avatar, nickname=nickname, embedding=True)
    assert (prediction.gender, prediction.probability) == ("male", 0.75)
    assert (prediction.model, prediction.version) == ("gender_mobilenet", str(VERSION))
    assert prediction.weights == Weights(avatar=0.5, nickname=0.5)
    # The model returns the sizes of its inputs.
    assert prediction.embedding == (len(avatar), len(nickname.encode()), *[0.0] * 254)


def test_largest_avatar_arrives(client: Client) -> None:
    embedding = client.predict(avatar=bytes(10 * 2**20), embedding=True).embedding
    assert embedding is not None
    assert embedding[0] == 10 * 2**20


def test_missing_inputs_are_unknown(client: Client) -> None:
    prediction = client.predict()
    assert (prediction.gender, prediction.weights) == ("unknown", Weights(avatar=0, nickname=0))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"avatar": b"not an image"},
            InvalidAvatar,
            "^gender_mobilenet: rejected by the server: AVATAR: not an image$",
        ),
        ({"nickname": "reject"}, InvalidNickname, "NICKNAME: too long"),
        ({"nickname": "fail"}, ServerError, "the model broke"),
        ({"model": "gender_resnet"}, ModelNotFound, "^gender_resnet: .*'gender_resnet' is not found"),
        ({"model": "older_contract"}, ProtocolError, "^older_contract: .*of the same release"),
    ],
)
def test_error(client: Client, arguments: dict[str, Any], error: type[GenderClientError], message: str) -> None:
    with pytest.raises(error, match=message):
        client.predict(**arguments)
    assert client.is_ready()
    assert not client.is_ready(model="gender_resnet")


def test_deadline(client: Client) -> None:
    with pytest.raises(DeadlineExceeded, match=r"no response within 0\.2 s"):
        client.predict(nickname="sleep", timeout_s=0.2)
    client.wait_until_ready(timeout_s=5)


def test_threads_share_a_client(client: Client) -> None:
    nicknames = ["名" * (index + 1) for index in range(64)]
    with ThreadPoolExecutor(16) as pool:
        embeddings = pool.map(lambda nickname: client.predict(nickname=nickname, embedding=True).embedding, nicknames)
        assert [embedding and embedding[1] for embedding in embeddings] == [len(name.encode()) for name in nicknames]


def test_threads_leak_no_file_descriptor(urls: dict[str, str]) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    with Client(urls["http"]) as client:
        client.predict()
        before = open_files()
        for _ in range(5):
            with ThreadPoolExecutor(1) as pool:
                pool.submit(client.predict).result()
        assert open_files() == before


def test_12_000_calls_leak_nothing(urls: dict[str, str]) -> None:
    def resources() -> tuple[int, int, int]:
        """Returns descriptors, threads, KiB of memory."""
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return len(list(Path("/proc/self/fd").iterdir())), int(status["Threads"]), int(status["VmRSS"].split()[0])

    def predict(client: Client, times: int) -> None:
        users = (User(nickname="小美") for _ in range(times))
        assert all(scored.prediction for scored in client.predict_many(users, concurrency=8))

    for url in urls.values():
        with Client(url) as client:
            predict(client, 1500)
            samples = [resources()]
            for _ in range(3):
                predict(client, 1500)
                samples.append(resources())
        # A leak grows every time; a pool or an arena of malloc grows once.
        growth = [[now - then for now, then in zip(*pair, strict=True)] for pair in pairwise(samples)]
        descriptors, threads, memory_kib = map(min, zip(*growth, strict=True))
        assert max(descriptors, threads) <= 0
        assert memory_kib < 1024


def test_predict_uses_environment_and_exits_quietly(urls: dict[str, str]) -> None:
    script = "from genderclient import predict; print(predict(nickname='小美').version)"
    run = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"GENDERCLIENT_URL": urls["grpc"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (run.stdout, run.stderr) == (f"{VERSION}\n", "")
