"""What becomes of a request on a real Triton when its caller goes away."""

import asyncio
import re
import shutil
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from genderclient import AsyncClient, Client, DeadlineExceeded
from tests.support.tritonserver import ROOT, Server, running_triton

IO: Final = """
max_batch_size: 8
input [
  { name: "AVATAR" data_type: TYPE_STRING dims: [ 1 ] },
  { name: "NICKNAME" data_type: TYPE_STRING dims: [ 1 ] }
]
output [
  { name: "PROBABILITIES" data_type: TYPE_FP32 dims: [ 2 ] },
  { name: "WEIGHTS" data_type: TYPE_FP32 dims: [ 2 ] }
"""
STEP: Final = f'backend: "python" {IO}, {{ name: "PASSED" data_type: TYPE_STRING dims: [ 1 ] }} ]'
# As the project's own ensembles: the first step takes one at a time, the second has the dynamic batcher.
ENSEMBLE: Final = f"""
platform: "ensemble" {IO} ]
ensemble_scheduling {{
  step [
    {{
      model_name: "first" model_version: -1
      input_map {{ key: "AVATAR" value: "AVATAR" }}
      input_map {{ key: "NICKNAME" value: "NICKNAME" }}
      output_map {{ key: "PASSED" value: "passed" }}
    }},
    {{
      model_name: "second" model_version: -1
      input_map {{ key: "AVATAR" value: "passed" }}
      input_map {{ key: "NICKNAME" value: "NICKNAME" }}
      output_map {{ key: "PROBABILITIES" value: "PROBABILITIES" }}
      output_map {{ key: "WEIGHTS" value: "WEIGHTS" }}
    }}
  ]
}}
"""
CONFIGS: Final = {"first": STEP, "second": STEP + "dynamic_batching {}", "both": ENSEMBLE}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    repository = tmp_path_factory.mktemp("models")
    for name, config in CONFIGS.items():
        version = repository / name / "1"
        version.mkdir(parents=True)
        (repository / name / "config.pbtxt").write_text(config)
        if name != "both":
            shutil.copy(ROOT / "tests/support/client/patient_model.py", version / "model.py")
    with running_triton(repository) as triton:
        yield triton


def fates(server: Server, model: str) -> Counter[str]:
    """How many requests of the model began, were cancelled or answered, or were dropped before they began."""
    with urllib.request.urlopen(f"http://{server.metrics_url}/metrics", timeout=5) as answer:
        lines = re.findall(rf'^(.*model="{model}".*) (\S+)$', answer.read().decode(), re.MULTILINE)
    count = Counter[str]()
    for name, value in lines:
        if fate := re.match(r'patient\{.*fate="(\w+)"', name):
            count[fate[1]] += int(float(value))
        elif re.match(r'nv_inference_request_failure\{.*reason="CANCELED"', name):
            count["dropped"] += int(float(value))
    return count


async def until(server: Server, model: str, before: Counter[str], **expected: int) -> None:
    """Waits until so many more requests than before have had these fates."""
    deadline_s = time.monotonic() + 30
    while any((found := fates(server, model) - before)[fate] != count for fate, count in expected.items()):
        assert time.monotonic() < deadline_s, f"{model}: {found}, expected {expected}"
        await asyncio.sleep(0.02)


async def leave(server: Server, scheme: str, model: str, how: str, seconds: str) -> object:
    """Asks a model that takes so many seconds, and goes away once it has begun; what the caller is told."""
    url = {"grpc": f"grpc://{server.grpc_url}", "http": f"http://{server.http_url}"}[scheme]
    first = "first" if model == "both" else model
    before = fates(server, first)
    async with AsyncClient(url, model=model, timeout_s=1 if how == "deadline" else 30) as client:
        task = asyncio.create_task(client.predict(nickname=seconds))
        await until(server, first, before, began=1)
        if how == "cancel":
            task.cancel()
        elif how == "close":
            await client.close()
        return (await asyncio.gather(task, return_exceptions=True))[0]


ENDS: Final = {"cancel": asyncio.CancelledError, "close": RuntimeError, "deadline": DeadlineExceeded}


@pytest.mark.parametrize("how", ENDS)
def test_by_grpc_a_model_is_told_at_once(server: Server, how: str) -> None:
    async def check() -> None:
        before = fates(server, "first")
        assert isinstance(await leave(server, "grpc", "first", how, "60"), ENDS[how])
        await until(server, "first", before, cancelled=1, answered=0)

    asyncio.run(check())


@pytest.mark.parametrize("how", ENDS)
def test_by_grpc_an_ensemble_takes_no_further_step(server: Server, how: str) -> None:
    async def check() -> None:
        first, second = fates(server, "first"), fates(server, "second")
        assert isinstance(await leave(server, "grpc", "both", how, "1.5"), ENDS[how])
        await until(server, "second", second, dropped=1, began=0)
        assert fates(server, "first") - first == Counter(began=1, answered=1)

    asyncio.run(check())


def test_a_client_closed_under_its_thread_says_so(server: Server) -> None:
    before = fates(server, "first")
    with ThreadPoolExecutor(1) as pool, Client(f"grpc://{server.grpc_url}", model="first") as client:
        prediction = pool.submit(client.predict, nickname="60", timeout_s=90)
        asyncio.run(until(server, "first", before, began=1))
        client.close()
        with pytest.raises(RuntimeError, match="the client is closed"):
            prediction.result()
    asyncio.run(until(server, "first", before, cancelled=1, answered=0))


@pytest.mark.parametrize("how", ENDS)
def test_by_http_triton_works_on(server: Server, how: str) -> None:
    """2.51 does not look whether the connection is still there."""

    async def check() -> None:
        before = fates(server, "first")
        assert isinstance(await leave(server, "http", "first", how, "1.5"), ENDS[how])
        await until(server, "first", before, answered=1, cancelled=0)

    asyncio.run(check())
