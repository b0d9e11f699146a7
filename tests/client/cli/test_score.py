"""`genderclient score` on a real server: every format, invalid tables, interruptions."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from genderclient._cli import table_job
from genderclient.tables.chunks import CHUNK_ROWS
from tests.client.cli.conftest import Run
from tests.support.client.tables import Row, read_table, write_table
from tests.support.pictures import encode, noise
from tests.support.tritonserver import free_ports

AVATAR = encode(noise(), "JPEG")
# The avatar of `c` is not on disk; the nickname of `d` is too long.
USERS: list[Row] = [
    {"avatar": "me.jpg", "nickname": "小美", "uid": "a"},
    {"avatar": "", "nickname": "X国强", "uid": "b"},
    {"avatar": "gone.jpg", "nickname": "小美", "uid": "c"},
    {"avatar": "", "nickname": "长" * 5000, "uid": "d"},
    {"avatar": "me.jpg", "nickname": "", "uid": "e"},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "me.jpg").write_bytes(AVATAR)
    return tmp_path


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_score_writes_results_and_failures(run: Run, folder: Path, suffix: str) -> None:
    output = folder / f"out.{suffix}"
    users = write_table(folder / f"users.{suffix}", USERS)
    result = run("score", users, "-o", output, "--id-column", "uid", "--quiet")
    assert result.exit_code == 1
    assert "3 scored, 2 failed" in result.stderr
    rows = read_table(output)
    assert [(int(row["row"]), row["id"]) for row in rows] == [(0, "a"), (1, "b"), (4, "e")]
    for row in rows:
        assert float(row["male"]) + float(row["female"]) == pytest.approx(1, abs=1e-3)
    failures = read_table(folder / f"out.{suffix}.failed.csv")
    assert [(row["row"], row["error"]) for row in failures] == [("2", "InvalidAvatar"), ("3", "InvalidNickname")]
    written = {path.name: path.read_bytes().decode("utf-8", "replace") for path in folder.glob("*out*")}
    assert "小美" not in "".join(written.values())
    assert sorted(written) == [f"out.{suffix}", f"out.{suffix}.failed.csv"]


def test_score_reads_avatar_bytes(run: Run, folder: Path) -> None:
    users = write_table(folder / "users.parquet", [{"face": AVATAR, "name": "小美"}, {"face": None, "name": None}])
    result = run("score", users, "-o", folder / "out.csv", "--avatar-column", "face", "--nickname-column", "name")
    assert result.exit_code == 0
    assert [float(row["weight_avatar"]) > 0 for row in read_table(folder / "out.csv")] == [True, False]


def test_score_keeps_positions_of_ragged_csv_rows(run: Run, folder: Path) -> None:
    (folder / "users.csv").write_text('nickname,uid\n"two\nlines",a\n\n小美\n小美,b\nX国强,c\n', encoding="utf-8")
    assert run("score", folder / "users.csv", "-o", folder / "out.csv", "--id-column", "uid", "--quiet").exit_code == 0
    assert [(row["row"], row["id"]) for row in read_table(folder / "out.csv")] == [
        *(("0", "a"), ("1", ""), ("2", "b"), ("3", "c")),
    ]


def test_options_of_the_command_reach_the_job(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []

    def fetch(url: str) -> bytes:
        fetched.append(url)
        return AVATAR

    monkeypatch.setattr(table_job, "AvatarFetcher", lambda: fetch)
    (folder / "users.csv").write_text("avatar,nickname\nhttps://host/me.png,小美\n", encoding="gb18030")
    (folder / "out.csv").write_text("an older result")
    command = ("score", folder / "users.csv", "-o", folder / "out.csv", "--encoding", "gb18030", "--fetch", "--quiet")
    assert run(*command).exit_code == 2
    assert run(*command, "--overwrite").exit_code == 0
    assert fetched == ["https://host/me.png"]
    (row,) = read_table(folder / "out.csv")
    assert min(float(row["weight_avatar"]), float(row["weight_nickname"])) > 0


@pytest.mark.parametrize(
    ("users", "output", "message"),
    [
        ("gone.csv", "out.csv", r"No such file or directory: '.*gone\.csv'"),
        ("users.csv", "out.xlsx", r"out\.xlsx: expected a file name that ends in \.csv, "),
        ("other.csv", "out.csv", r"no column avatar or nickname among the 1 columns"),
        ("bad.jsonl", "out.csv", r"bad\.jsonl, line 2: invalid JSON"),
        ("bad.parquet", "out.csv", r"bad\.parquet: expected a Parquet file"),
        ("empty", "out.csv", r"empty: expected a folder with \.parquet files"),
        ("users.csv", "other_job.csv", "other_job.csv.chunks belongs to a job with another input"),
    ],
)
def test_score_rejects_invalid_tables(run: Run, folder: Path, users: str, output: str, message: str) -> None:
    write_table(folder / "users.csv", USERS)
    (folder / "other.csv").write_text("name\nx\n")
    (folder / "bad.jsonl").write_text('{"nickname": "x"}\n{"nickname"\n')
    (folder / "bad.parquet").write_bytes(b"PAR1")
    (folder / "empty").mkdir()
    (folder / "other_job.csv.chunks").mkdir()
    (folder / "other_job.csv.chunks" / "job.json").write_text("{}")
    result = run("score", folder / users, "-o", folder / output, "--quiet")
    assert result.exit_code == 2
    assert re.search(message, result.stderr)


def test_score_resumes_after_outage(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genderclient._retry.Retry.backoff_s", lambda *_: 0.0)
    users = write_table(folder / "users.csv", USERS)
    (port,) = free_ports(1)
    result = run("score", users, "-o", folder / "out.csv", "--quiet", "--url", f"http://127.0.0.1:{port}")
    assert result.exit_code == 1
    assert "is Triton running?" in result.stderr
    assert not (folder / "out.csv").exists()
    assert run("score", users, "-o", folder / "out.csv", "--quiet").exit_code == 1  # two users are invalid
    assert len(read_table(folder / "out.csv")) == 3


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_score_resumes_after_signal(run: Run, folder: Path, number: signal.Signals) -> None:
    total = 4 * CHUNK_ROWS + 5
    users = write_table(folder / "users.csv", [{"nickname": f"小美{index}"} for index in range(total)])
    output = folder / "out.jsonl"
    command = [sys.executable, "-m", "genderclient", "score", str(users), "-o", str(output), "--quiet"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        while not list(folder.glob("out.jsonl.chunks/*.jsonl")):
            assert child.poll() is None
            time.sleep(0.02)
        child.send_signal(number)
        _, errors = child.communicate()
    assert child.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL), errors
    assert "Traceback" not in errors
    assert not output.exists()
    first_chunk = (folder / "out.jsonl.chunks" / "00000000.jsonl").read_text()
    result = run("score", users, "-o", output, "--quiet")
    assert result.exit_code == 0
    assert f"{total} scored, 0 failed" in result.stderr
    rows = read_table(output)
    assert [row["row"] for row in rows] == list(range(total))
    assert rows[0] == json.loads(first_chunk.splitlines()[0])
