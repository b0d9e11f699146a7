"""The task of a Ray worker, in this process."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from genderclient import Client, FakeTransport, RedisHistory
from genderclient.ray.worker import Worker
from genderclient.tables import ClientSettings, Columns, RankingTask, chunks
from genderclient.tables.parquet import ParquetTable
from genderclient.tables.users import UserReader
from tests.support.client.fakes import respond_list, respond_male
from tests.support.tritonserver import free_ports


@pytest.fixture
def fake_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all clients use `respond_male` instead of a server."""
    monkeypatch.setattr(ClientSettings, "client", lambda self: Client(transport=FakeTransport(respond_male)))


def make_worker(users: Path, folder: Path, url: str | None = None) -> Worker:
    return Worker(
        table=ParquetTable.of([users / "a.parquet"], Columns(id="uid")),
        scorer=chunks.ChunkScorer(UserReader(users), concurrency=2),
        settings=ClientSettings(url=url),
        chunk_folder=folder,
        chunk_rows=5,
    )


@pytest.mark.usefixtures("fake_server")
def test_repeated_chunk_leaves_one_file(users: Path, tmp_path: Path) -> None:
    reports = [make_worker(users, tmp_path).score_chunk({"chunk": 1}) for _ in range(2)]
    assert reports == [{"rows": 5, "error": "", "reason": ""}] * 2
    assert [file.name for file in tmp_path.iterdir()] == ["00000001.jsonl"]
    assert [(row["row"], row["id"]) for row in chunks.read_chunks(tmp_path)] == [(n, f"a{n}") for n in range(5, 10)]


def test_ranking_travels_to_the_worker(users: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ClientSettings, "client", lambda self: Client(transport=FakeTransport(respond_list)))
    monkeypatch.setattr(RedisHistory, "liked_many", lambda self, user_ids: [(4,) for _ in user_ids])
    worker = make_worker(users, tmp_path)
    task = RankingTask(k=2, seed=3, history=RedisHistory("redis://127.0.0.1:1/0"))
    worker = replace(worker, scorer=replace(worker.scorer, task=task, model="rank_mobilenet"))
    assert pickle.loads(pickle.dumps(worker)).score_chunk({"chunk": 1}) == {"rows": 5, "error": "", "reason": ""}
    rows = list(chunks.read_chunks(tmp_path))
    assert [(row["id"], row["pictures"], row["model"]) for row in rows] == [
        (f"a{number}", [7, 3], "rank_mobilenet") for number in range(5, 10)
    ]


def test_lasting_outage_is_reported(users: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "OUTAGE_TIMEOUT_S", 0.3)
    (port,) = free_ports(1)
    report = make_worker(users, tmp_path, f"http://127.0.0.1:{port}").score_chunk({"chunk": 0})
    assert (report["rows"], report["error"]) == (0, "Unavailable")
    assert "is Triton running?" in report["reason"]
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("fake_server")
def test_invisible_folder_is_reported(users: Path, tmp_path: Path) -> None:
    report = make_worker(users, tmp_path / "elsewhere").score_chunk({"chunk": 0})
    assert report["error"] == "TableError"
    assert str(tmp_path / "elsewhere") in report["reason"]


def test_damaged_file_is_reported(users: Path, tmp_path: Path) -> None:
    intact = (users / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(intact[:100] + bytes(2000) + intact[2100:])
    report = make_worker(tmp_path, tmp_path / "chunks").score_chunk({"chunk": 0})
    assert report["error"] == "TableError"
    assert report["reason"].startswith(f"{tmp_path / 'a.parquet'}: damaged Parquet file: ")


def test_settings_hide_token() -> None:
    assert "secret" not in repr(ClientSettings(url="https://127.0.0.1", token="secret"))
