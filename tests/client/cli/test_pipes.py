"""`genderclient score` with standard input and output, as a process of its own, on a real server."""

import csv
import gzip
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.tritonserver import Server

COMMAND = (sys.executable, "-m", "genderclient", "score", "--quiet")
CSV = "nickname,city\n小美,北京\nX国强,上海\n"


@pytest.fixture
def environment(triton: Server, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "tmp").mkdir()
    return {**os.environ, "GENDERCLIENT_URL": f"grpc://{triton.grpc_url}", "TMPDIR": str(tmp_path / "tmp")}


def parquet() -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table({"nickname": ["小美", "X国强"], "city": ["北京", "上海"]}), stream)
    return stream.getvalue()


ROWS = [{"nickname": "小美", "city": "北京"}, {"nickname": "X国强", "city": "上海"}]
INPUTS = {
    "CSV": CSV.encode(),
    "TSV": CSV.replace(",", "\t").encode(),
    "CSV in UTF-16": CSV.encode("utf-16"),
    "CSV in gzip": gzip.compress(CSV.encode()),
    "JSON": json.dumps(ROWS, indent=1).encode(),
    "JSONL": "\n".join(map(json.dumps, ROWS)).encode("utf-8-sig"),
    "Parquet": parquet(),
}


@pytest.mark.parametrize("content", INPUTS.values(), ids=INPUTS)
def test_pipe_from_stdin_to_stdout(tmp_path: Path, environment: dict[str, str], content: bytes) -> None:
    done = subprocess.run(
        [*COMMAND, "-", "-o", "-"], input=content, capture_output=True, env=environment, cwd=tmp_path, check=True
    )
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode())))
    assert [(row["gender"], row["city"]) for row in rows] == [("female", "北京"), ("male", "上海")]
    assert done.stderr.decode() == "2 scored, 0 failed; -\n"
    assert [str(file) for file in tmp_path.rglob("*")] == [str(tmp_path / "tmp")]


def test_failures_go_to_stderr(tmp_path: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [*COMMAND, "-", "-o", "-", "--id-column", "city"],
        input="nickname,avatar,city\n小美,gone.jpg,x\n小美,,y\n".encode(),
        capture_output=True,
        env=environment,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 2
    lines = done.stderr.decode().splitlines()
    assert lines[0] == "row,id,error,reason"
    assert lines[1].startswith("0,x,InvalidAvatar,")
    assert not [text for text in ("小美", "gone.jpg") if text in done.stderr.decode()]


def test_avatars_of_stdin_are_relative_to_working_directory(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "me.jpg").write_bytes(b"no picture")
    done = subprocess.run(
        [*COMMAND, "-", "-o", "out.jsonl"],
        input=b"avatar\nme.jpg\n",
        capture_output=True,
        env=environment,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "not an image" in (tmp_path / "out.jsonl.failed.csv").read_text()
    assert {file.name for file in tmp_path.iterdir()} == {"me.jpg", "out.jsonl", "out.jsonl.failed.csv", "tmp"}


def test_reader_that_ends_early_gets_no_message(tmp_path: Path, environment: dict[str, str]) -> None:
    rows = 4000  # More than the pipe holds.
    with subprocess.Popen(
        [*COMMAND, "-", "-o", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=tmp_path,
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdout.close()
        process.stdin.write(b"nickname\n" + b"a\n" * rows)
        process.stdin.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.parametrize("files", [("-", "-o", "out.csv"), ("users.parquet", "-o", "-")])
def test_ray_needs_files(tmp_path: Path, environment: dict[str, str], files: tuple[str, ...]) -> None:
    command = [*COMMAND, *files, "--engine", "ray"]
    done = subprocess.run(command, input=b"", capture_output=True, env=environment, cwd=tmp_path)
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert b"--engine ray needs files" in done.stderr
