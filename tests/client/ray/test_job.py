"""A job on Ray: every row once, even if a worker dies, and the same output as without Ray."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from genderclient import Client, FakeTransport
from genderclient._cli.app import app
from genderclient.tables import ClientSettings, chunks
from tests.client.ray.conftest import FILE_ROWS
from tests.support.client.fakes import respond_male
from tests.support.client.ray_cluster import Cluster, running_cluster
from tests.support.tritonserver import Server, free_ports

CHUNK_ROWS = 24
WORKERS = 2
DEADLINE_S = 120.0
# Small chunks, so that a worker can be killed in the middle of the job.
DRIVER = (
    "from genderclient._cli import main; from genderclient.tables import chunks; "
    f"chunks.CHUNK_ROWS = {CHUNK_ROWS}; main()"
)
FLOATS = ["probability", "male", "female", "weight_avatar", "weight_nickname"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster(WORKERS) as running:
        yield running


def score(*arguments: object, command: str = "score") -> Result:
    return CliRunner().invoke(app, [command, *map(str, arguments), "--quiet"])


def start_driver(cluster: Cluster, *arguments: object, command: str = "score") -> "subprocess.Popen[str]":
    program = [sys.executable, "-c", DRIVER, command, *map(str, arguments), "--engine", "ray", "--quiet"]
    return subprocess.Popen(program, stderr=subprocess.PIPE, text=True, env={**os.environ, **cluster.variables})


def wait_for(condition: Callable[[], Any], child: "subprocess.Popen[str]") -> Any:
    """The first true value of the condition."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        assert child.poll() is None
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    return value


def test_killed_worker_loses_and_repeats_no_row(triton: Server, cluster: Cluster, users: Path, tmp_path: Path) -> None:
    servers = f"grpc://{triton.grpc_url},http://{triton.http_url}"
    options = ("--url", servers, "--id-column", "uid", "--concurrency", 4)
    output, chunk_folder = tmp_path / "ray.parquet", tmp_path / "ray.parquet.chunks"
    with start_driver(cluster, users, "-o", output, *options) as child:
        wait_for(lambda: len(chunks.finished_chunks(chunk_folder)) > 2 * WORKERS, child)
        victim: psutil.Process = wait_for(cluster.busy, child)[0]
        victim.kill()
        unfinished = 3 * FILE_ROWS // CHUNK_ROWS - len(chunks.finished_chunks(chunk_folder))
        _, printed = child.communicate()
    assert unfinished > 2 * WORKERS, "the job was almost finished"
    assert child.returncode == 1, printed
    assert f"{3 * FILE_ROWS - 6} scored, 6 failed; {output}" in printed

    assert score(users, "-o", tmp_path / "local.parquet", *options).exit_code == 1
    by_ray, local = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("ray", "local"))
    assert by_ray.schema == local.schema
    assert by_ray.drop(FLOATS) == local.drop(FLOATS)
    for name in FLOATS:
        assert by_ray[name].to_pylist() == pytest.approx(local[name].to_pylist(), abs=1e-4)
    failures = [(tmp_path / f"{name}.parquet.failed.csv").read_text() for name in ("ray", "local")]
    assert failures[0] == failures[1]
    assert re.findall(r"^(\d+),\w\d+,(\w+)", failures[0], re.MULTILINE) == [
        *(("0", "InvalidAvatar"), ("239", "InvalidNickname")),
        *(("240", "InvalidAvatar"), ("479", "InvalidNickname")),
        *(("480", "InvalidAvatar"), ("719", "InvalidNickname")),
    ]
    assert {*by_ray["row"].to_pylist(), 0, 239, 240, 479, 480, 719} == set(range(3 * FILE_ROWS))
    assert not chunk_folder.exists()
    logs = "".join(file.read_text(errors="replace") for file in cluster.folder.rglob("*") if file.is_file())
    assert "小美" not in printed + logs


def test_every_user_is_ranked_once(triton: Server, cluster: Cluster, users: Path, tmp_path: Path) -> None:
    options = ("--url", f"grpc://{triton.grpc_url}", "--id-column", "uid", "--k", 3, "--seed", 7)
    outputs = [tmp_path / "ray.parquet", tmp_path / "local.parquet"]
    with start_driver(cluster, users / "a.parquet", "-o", outputs[0], *options, command="rank") as child:
        _, printed = child.communicate()
    assert f"{FILE_ROWS - 2} ranked, 2 failed" in printed
    assert score(users / "a.parquet", "-o", outputs[1], *options, command="rank").exit_code == 1
    by_ray, local = (pq.read_table(output) for output in outputs)
    assert by_ray["id"].to_pylist() == [f"a{number}" for number in range(1, FILE_ROWS - 1)]
    assert len(set(by_ray["request_id"].to_pylist())) == FILE_ROWS - 2
    # The same seed gives a user the same list, wherever it is computed, except among pictures of equal score.
    same = [one == other for one, other in zip(by_ray["pictures"], local["pictures"], strict=True)]
    assert sum(same) > 0.98 * len(same)


def test_worker_error_is_one_line(triton: Server, cluster: Cluster, users: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.parquet"
    options = ("--url", f"grpc://{triton.grpc_url}", "--model", "gender_resnet")
    with start_driver(cluster, users, "-o", output, *options) as child:
        _, printed = child.communicate()
    assert child.returncode == 1
    assert re.fullmatch(r"genderclient: gender_resnet: .*check the name.*\n", printed)
    assert not output.exists()


def test_missing_ray_names_package_to_install(users: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "genderclient.ray.job", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    result = score(users, "-o", tmp_path / "out.parquet", "--engine", "ray")
    assert result.exit_code == 2
    assert re.fullmatch(r"genderclient: .*ray.*: pip install 'genderclient\[ray\]'\n", result.stderr)


def test_unreachable_cluster_is_named(users: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
    result = score(users, "-o", tmp_path / "out.parquet", "--engine", "ray")
    assert result.exit_code == 1
    assert re.fullmatch(rf"genderclient: RAY_ADDRESS 127.0.0.1:{port}: .*; is the cluster running.*\n", result.stderr)


def test_ray_rejects_csv(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("nickname\nx\n")
    result = score(tmp_path / "users.csv", "-o", tmp_path / "out.parquet", "--engine", "ray")
    assert result.exit_code == 2
    assert "expected a Parquet file or a folder of them" in result.stderr


@pytest.mark.parametrize("column", ["--avatar-column", "--nickname-column", "--id-column"])
def test_ray_refuses_misspelled_column(users: Path, tmp_path: Path, column: str) -> None:
    result = score(users, "-o", tmp_path / "out.parquet", "--engine", "ray", column, "picture")
    assert result.exit_code == 2
    assert re.fullmatch(r"genderclient: .*a\.parquet: no column 'picture' .*\n", result.stderr)


@pytest.mark.parametrize(("engine", "finished"), [("ray", {0, 1}), ("local", {1})])
def test_engine_resumes_job_of_other_engine(
    users: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, finished: set[int]
) -> None:
    monkeypatch.setattr(ClientSettings, "client", lambda self: Client(transport=FakeTransport(respond_male)))
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 160)
    monkeypatch.setenv("RAY_ADDRESS", "unused")
    (tmp_path / "out.parquet.chunks").mkdir()
    for number in finished:
        positions = range(160 * number, min(160 * number + 160, FILE_ROWS))
        chunks.write_chunk(tmp_path / "out.parquet.chunks", number, [{"row": n, "model": "earlier"} for n in positions])
    assert score(users / "a.parquet", "-o", tmp_path / "out.parquet", "--engine", engine).exit_code == 0
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["row"] for row in rows] == list(range(FILE_ROWS))
    assert {row["row"] // 160 for row in rows if row["model"] == "earlier"} == finished
