"""What happens to a request on a real Triton when its caller leaves."""

import asyncio
import re
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from genderclient import AsyncClient, Client, DeadlineExceeded
from tests.support.client.model_repository import add_model
from tests.support.tritonserver import Server, running_triton

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
# Like the project's ensembles: the second step has the dynamic batcher.
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
        add_model(repository, name, config, code=None if name == "both" else "cancellable_model")
    with running_triton(repository) as triton:
        yield triton


def outcomes(server: Server, model: str) -> Counter[str]:
    """Counts the model's requests that began, were cancelled or completed, or were dropped before they began."""
    with urllib.request.urlopen(f"http://{server.metrics_url}/metrics", timeout=5) as response:
        lines = re.findall(rf'^(.*model="{model}".*) (\S+)$', response.read().decode(), re.MULTILINE)
    count = Counter[str]()
    for name, value in lines:
        if outcome := re.match(r'cancellable\{.*outcome="(\w+)"', name):
            count[outcome[1]] += int(float(value))
        elif re.match(r'nv_inference_request_failure\{.*reason="CANCELED"', name):
            count["dropped"] += int(float(value))
    return count


async def until(server: Server, model: str, before: Counter[str], **expected: int) -> None:
    """Waits until the counts exceed those of `before` by the expected numbers."""
    deadline_s = time.monotonic() + 30
    while any((counts := outcomes(server, model) - before)[outcome] != count for outcome, count in expected.items()):
        assert time.monotonic() < deadline_s, f"{model}: {counts}, expected {expected}"
        await asyncio.sleep(0.02)


async def leave(server: Server, scheme: str, model: str, how: str, seconds: str) -> object:
    """Leaves a request that takes `seconds` once it has begun. Returns what the caller gets."""
    url = {"grpc": f"grpc://{server.grpc_url}", "http": f"http://{server.http_url}"}[scheme]
    first = "first" if model == "both" else model
    before = outcomes(server, first)
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
def test_grpc_cancels_model(server: Server, how: str) -> None:
    async def check() -> None:
        before = outcomes(server, "first")
        assert isinstance(await leave(server, "grpc", "first", how, "60"), ENDS[how])
        await until(server, "first", before, cancelled=1, completed=0)

    asyncio.run(check())


@pytest.mark.parametrize("how", ENDS)
def test_grpc_cancels_next_step_of_ensemble(server: Server, how: str) -> None:
    async def check() -> None:
        first, second = outcomes(server, "first"), outcomes(server, "second")
        assert isinstance(await leave(server, "grpc", "both", how, "1.5"), ENDS[how])
        await until(server, "second", second, dropped=1, began=0)
        assert outcomes(server, "first") - first == Counter(began=1, completed=1)

    asyncio.run(check())


def test_client_closed_by_another_thread_raises(server: Server) -> None:
    before = outcomes(server, "first")
    with ThreadPoolExecutor(1) as pool, Client(f"grpc://{server.grpc_url}", model="first") as client:
        prediction = pool.submit(client.predict, nickname="60", timeout_s=90)
        asyncio.run(until(server, "first", before, began=1))
        client.close()
        with pytest.raises(RuntimeError, match="the client is closed"):
            prediction.result()
    asyncio.run(until(server, "first", before, cancelled=1, completed=0))


@pytest.mark.parametrize("how", ENDS)
def test_http_request_completes(server: Server, how: str) -> None:
    """Triton 2.51 does not notice a closed connection."""

    async def check() -> None:
        before = outcomes(server, "first")
        assert isinstance(await leave(server, "http", "first", how, "1.5"), ENDS[how])
        await until(server, "first", before, completed=1, cancelled=0)

    asyncio.run(check())
