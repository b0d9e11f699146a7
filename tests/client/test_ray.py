"""Scoring by Ray: every row once, whoever dies, and the same rows as without it."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from genderclient import Client, FakeTransport, InferenceRequest, InferenceResponse, Status, TransportError
from genderclient._cli import parts
from genderclient._cli.app import app
from genderclient._cli.columns import Columns
from genderclient._cli.connection import Connection
from genderclient._cli.dataset import Dataset
from genderclient._cli.ray_worker import Worker
from tests.support.client.fakes import answer
from tests.support.client.ray_cluster import Cluster, running_cluster
from tests.support.pictures import encode, noise
from tests.support.tritonserver import Server, free_ports

FILE_ROWS = 680
PART_ROWS = 64
WORKERS = 3
DEADLINE_S = 120.0
# Small parts, so that there is a middle in which to die.
DRIVER = f"from genderclient._cli import main, parts; parts.ROWS = {PART_ROWS}; main()"
FLOATS = ["probability", "male", "female", "weight_avatar", "weight_nickname"]
COLUMNS = Columns(avatar="avatar", nickname="nickname", id="uid")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster(WORKERS) as running:
        yield running


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three files: two with the bytes of pictures, one with their paths; in each two users who cannot be scored."""
    folder = tmp_path_factory.mktemp("users")
    pictures = [encode(noise(64, seed), "JPEG") for seed in range(20)]
    (folder / "pictures").mkdir()
    for number, picture in enumerate(pictures):
        (folder / "pictures" / f"{number}.jpg").write_bytes(picture)
    for name in ("a", "b"):
        write(folder / f"{name}.parquet", name, [b"no picture", *(pictures * FILE_ROWS)[: FILE_ROWS - 1]])
    paths = [f"pictures/{number}.jpg" for number in range(len(pictures))]
    write(folder / "c" / "c.parquet", "c", ["pictures/gone.jpg", *(paths * FILE_ROWS)[: FILE_ROWS - 1]])
    return folder


def write(file: Path, name: str, avatars: list[Any]) -> None:
    """A row for each avatar, but every third user has none, and the last one's nickname is too long."""
    file.parent.mkdir(exist_ok=True)
    rows = [
        {"avatar": avatar if number % 3 == 0 else None, "nickname": f"小美{name}{number}", "uid": f"{name}{number}"}
        for number, avatar in enumerate(avatars)
    ]
    rows[-1]["nickname"] = "长" * 5000
    pq.write_table(pa.Table.from_pylist(rows), file, row_group_size=200)


def score(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["score", *map(str, arguments), "--quiet"])


def driver(cluster: Cluster, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", DRIVER, "score", *map(str, arguments), "--engine", "ray", "--quiet"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **cluster.variables})


def when(condition: Callable[[], Any], child: "subprocess.Popen[str]") -> Any:
    """What the condition says as soon as it says something."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert child.poll() is None
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    return found


def test_a_killed_worker_loses_and_doubles_no_row(
    triton: Server, cluster: Cluster, users: Path, tmp_path: Path
) -> None:
    servers = f"grpc://{triton.grpc_url},http://{triton.http_url}"
    options = ("--url", servers, "--id-column", "uid", "--concurrency", 4)
    output = tmp_path / "ray.parquet"
    with driver(cluster, users, "-o", output, *options) as child:
        when(lambda: len(parts.finished(tmp_path / "ray.parquet.parts")) > 2 * WORKERS, child)
        victim: psutil.Process = when(cluster.busy, child)[0]
        victim.kill()
        left = 3 * FILE_ROWS // PART_ROWS - len(parts.finished(tmp_path / "ray.parquet.parts"))
        _, said = child.communicate()
    assert left > 2 * WORKERS, "it was not in the middle"
    assert child.returncode == 1, said
    assert f"{3 * FILE_ROWS - 6} scored, 6 failed; {output}" in said

    assert score(users, "-o", tmp_path / "local.parquet", *options).exit_code == 1
    found, wanted = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("ray", "local"))
    assert found.schema == wanted.schema
    assert found.drop(FLOATS) == wanted.drop(FLOATS)
    for name in FLOATS:
        assert found[name].to_pylist() == pytest.approx(wanted[name].to_pylist(), abs=1e-4)
    failures = [(tmp_path / f"{name}.parquet.failed.csv").read_text() for name in ("ray", "local")]
    assert failures[0] == failures[1]
    assert re.findall(r"^\d+,(\w\d+),(\w+)", failures[0], re.MULTILINE) == [
        (f"{name}{number}", error)
        for name in "abc"
        for number, error in ((0, "InvalidAvatar"), (679, "InvalidNickname"))
    ]
    assert {*found["row"].to_pylist(), 0, 679, 680, 1359, 1360, 2039} == set(range(3 * FILE_ROWS))
    assert not (tmp_path / "ray.parquet.parts").exists()
    assert "小美" not in said + everything_below(cluster.folder)


def test_what_no_worker_can_do_ends_in_one_line(triton: Server, cluster: Cluster, users: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.parquet"
    with driver(
        cluster, users, "-o", output, "--url", f"grpc://{triton.grpc_url}", "--model", "gender_resnet"
    ) as child:
        _, said = child.communicate()
    assert child.returncode == 1
    assert re.fullmatch(r"genderclient: gender_resnet: .*check the name.*\n", said)
    assert not output.exists()


def everything_below(folder: Path) -> str:
    return "".join(file.read_text(errors="replace") for file in folder.rglob("*") if file.is_file())


def test_without_ray_it_says_what_to_install(users: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "genderclient._cli.ray_engine", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    result = score(users, "-o", tmp_path / "out.parquet", "--engine", "ray")
    assert result.exit_code == 2
    assert re.fullmatch(r"genderclient: .*ray.*: pip install 'genderclient\[ray\]'\n", result.stderr)


def test_a_cluster_that_is_gone_is_named(users: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
    result = score(users, "-o", tmp_path / "out.parquet", "--engine", "ray")
    assert result.exit_code == 1
    assert re.fullmatch(rf"genderclient: RAY_ADDRESS 127.0.0.1:{port}: .*; is the cluster running.*\n", result.stderr)


def test_ray_reads_parquet_alone(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("nickname\nx\n")
    result = score(tmp_path / "users.csv", "-o", tmp_path / "out.parquet", "--engine", "ray")
    assert result.exit_code == 2
    assert "Ray reads Parquet, a file or a folder of them; leave --engine ray out" in result.stderr


@pytest.mark.parametrize(("engine", "before"), [("ray", [0, 1]), ("local", [1])])
def test_either_engine_goes_on_where_the_other_was(
    users: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, before: list[int]
) -> None:
    monkeypatch.setattr(Connection, "open", lambda self: Client(transport=FakeTransport(answer)))
    monkeypatch.setattr(parts, "ROWS", 400)
    monkeypatch.setenv("RAY_ADDRESS", "nobody needs it")
    done = tmp_path / "out.parquet.parts"
    done.mkdir()
    for number in before:
        replace(worker(users, done), part_rows=400).do({"part": number})
    written: list[int] = []
    write_part = parts.write

    def remember(folder: Path, number: int, rows: list[dict[str, Any]]) -> None:
        written.append(number)
        write_part(folder, number, rows)

    monkeypatch.setattr(parts, "write", remember)
    result = score(users / "a.parquet", "-o", tmp_path / "out.parquet", "--engine", engine, "--id-column", "uid")
    assert result.exit_code == 0
    assert pq.read_table(tmp_path / "out.parquet")["row"].to_pylist() == list(range(FILE_ROWS))
    assert sorted([*before, *written]) == [0, 1]


def test_any_stretch_of_a_dataset_is_its_rows(tmp_path: Path) -> None:
    rows = [{"nickname": str(number)} for number in range(12)]
    for name, some in (("a", rows[:5]), ("b", []), ("c", rows[5:])):
        table = pa.Table.from_pylist(some, pa.schema([("nickname", pa.string())]))
        pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=3)
    dataset = Dataset.of(sorted(tmp_path.iterdir()))
    assert dataset.starts == (0, 5, 5, 12)
    for start in range(13):
        for stop in range(start, 15):
            assert list(dataset.rows(["nickname", "avatar"], start, stop)) == rows[start:stop]


def worker(users: Path, folder: Path, url: str | None = None) -> Worker:
    return Worker(
        dataset=Dataset.of([users / "a.parquet"]),
        scorer=parts.Scorer(columns=COLUMNS, pictures=users, concurrency=2),
        connection=Connection(url=url),
        folder=folder,
        part_rows=5,
    )


def test_a_part_done_twice_is_there_once(users: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "open", lambda self: Client(transport=FakeTransport(answer)))
    said = [worker(users, tmp_path).do({"part": 1}) for _ in range(2)]
    assert said == [{"rows": 5, "error": "", "reason": ""}] * 2
    assert [file.name for file in tmp_path.iterdir()] == ["00000001.jsonl"]
    assert [(row["row"], row["id"]) for row in parts.read(tmp_path)] == [(n, f"a{n}") for n in range(5, 10)]


def test_a_worker_waits_for_a_server_to_come_back(users: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genderclient._client.POLL_S", 0.01)
    refusals = iter(range(30))

    def respond(request: InferenceRequest) -> InferenceResponse:
        if next(refusals, None) is not None:
            raise TransportError(Status.UNAVAILABLE, "away")
        return answer(request)

    monkeypatch.setattr(Connection, "open", lambda self: Client(transport=FakeTransport(respond)))
    assert worker(users, tmp_path).do({"part": 0})["rows"] == 5
    assert len(list(parts.read(tmp_path))) == 5


def test_a_server_that_stays_away_stops_the_part(users: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "AWAY_S", 0.3)
    (port,) = free_ports(1)
    said = worker(users, tmp_path, f"http://127.0.0.1:{port}").do({"part": 0})
    assert (said["rows"], said["error"]) == (0, "Unavailable")
    assert "is Triton running?" in said["reason"]
    assert not list(tmp_path.iterdir())


def test_a_folder_that_a_worker_cannot_see_is_named(
    users: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Connection, "open", lambda self: Client(transport=FakeTransport(answer)))
    said = worker(users, tmp_path / "elsewhere").do({"part": 0})
    assert said["error"] == "TableError"
    assert str(tmp_path / "elsewhere") in said["reason"]


def test_a_broken_file_is_named(users: Path, tmp_path: Path) -> None:
    intact = (users / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(intact[:100] + bytes(2000) + intact[2100:])
    said = worker(tmp_path, tmp_path / "parts").do({"part": 0})
    assert said["error"] == "TableError"
    assert said["reason"].startswith(f"{tmp_path / 'a.parquet'}: broken Parquet: ")


def test_a_connection_does_not_show_its_token() -> None:
    assert "secret" not in repr(Connection(url="https://127.0.0.1", token="secret"))
