"""The command `genderclient`, on a real server."""

import csv
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from genderclient import Experiment
from genderclient._cli import parts
from genderclient._cli.app import app
from server.launch.process import free_ports
from tests.support.pictures import encode, noise
from tests.support.tritonserver import Server

PICTURE = encode(noise(), "JPEG")
Run = Callable[..., Result]


@pytest.fixture
def run(triton: Server, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("GENDERCLIENT_URL", f"grpc://{triton.grpc_url}")
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`me.jpg`, and users of whom one has no picture on disk and one a nickname too long."""
    (tmp_path / "me.jpg").write_bytes(PICTURE)
    return tmp_path


USERS = [
    {"avatar": "me.jpg", "nickname": "小美", "uid": "a"},
    {"avatar": "", "nickname": "X国强", "uid": "b"},
    {"avatar": "gone.jpg", "nickname": "小美", "uid": "c"},
    {"avatar": "", "nickname": "长" * 5000, "uid": "d"},
    {"avatar": "me.jpg", "nickname": "", "uid": "e"},
]


def write_users(folder: Path, kind: str, users: list[dict[str, Any]]) -> Path:
    file = folder / f"users.{kind}"
    if kind == "csv":
        with file.open("w", encoding="utf-8", newline="") as lines:
            writer = csv.DictWriter(lines, users[0])
            writer.writeheader()
            writer.writerows(users)
    elif kind == "jsonl":
        file.write_text("".join(json.dumps(user) + "\n" for user in users), encoding="utf-8")
    else:
        pq.write_table(pa.Table.from_pylist(users), file)
    return file


def read_rows(file: Path) -> list[dict[str, Any]]:
    if file.suffix == ".parquet":
        rows: list[dict[str, Any]] = pq.read_table(file).to_pylist()
        return rows
    with file.open(encoding="utf-8", newline="") as lines:
        return [json.loads(line) for line in lines] if file.suffix == ".jsonl" else list(csv.DictReader(lines))


def test_predict(run: Run, folder: Path) -> None:
    result = run("predict", "--nickname", "小美", "--avatar", folder / "me.jpg")
    assert result.exit_code == 0
    assert re.match(
        r"(male|female|unknown) \(\d+\.\d%\); looked at: avatar [01]\.\d+, nickname [01]\.\d+; ", result.output
    )


def test_predict_as_json(run: Run) -> None:
    answer = json.loads(run("predict", "--nickname", "小美", "--model", "gender_densenet", "--json").output)
    assert (answer["gender"], answer["model"]) == ("female", "gender_densenet")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("predict", "--avatar", "gone.jpg"), 1, "avatar: cannot read the file 'gone.jpg'"),
        (("predict", "--model", "gender_resnet"), 1, "gender_resnet: .*check the name"),
        (("predict", "--url", "ftp://x"), 2, "server URL 'ftp://x': expected grpc://"),
        (("predict", "--timeout-s", "0"), 2, "timeout_s: got 0"),
        (("predict", "--unknown-below", "7"), 2, "unknown_below: got 7"),
        (("predict", "--ca-file", "gone.pem"), 2, "ca_file: no file 'gone.pem'"),
        (("experiment", "x", "--arm", "a"), 2, "--arm a: expected MODEL=WEIGHT"),
        (("experiment", "x", "--arm", "a=1", "--users", "gone.txt"), 2, "gone.txt"),
    ],
)
def test_mistakes_end_in_one_line(run: Run, arguments: tuple[str, ...], code: int, says: str) -> None:
    result = run(*arguments)
    assert result.exit_code == code
    assert re.match(rf"genderclient: .*{says}", result.stderr)
    assert result.stderr.count("\n") == 1


def test_health(run: Run) -> None:
    result = run("health")
    assert result.exit_code == 0
    assert re.fullmatch(r"gender_densenet: ok, [\d.]+ ms\ngender_mobilenet: ok, [\d.]+ ms\n", result.output)


def test_health_of_what_cannot_answer(run: Run) -> None:
    result = run("health", "--model", "gender_mobilenet", "--model", "gender_resnet", "--json")
    assert result.exit_code == 1
    assert {model: said["ok"] for model, said in json.loads(result.output).items()} == {
        "gender_mobilenet": True,
        "gender_resnet": False,
    }


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_models(run: Run, triton: Server, scheme: str) -> None:
    url = f"{scheme}://{triton.grpc_url if scheme == 'grpc' else triton.http_url}"
    (listed,) = json.loads(run("models", "--url", url, "--json").output).values()
    assert {model["name"]: model["state"] for model in listed} == dict.fromkeys(
        ("preprocess", "densenet", "mobilenet", "gender_densenet", "gender_mobilenet"), "READY"
    )
    assert re.search(r"^  gender_mobilenet 2 READY$", run("models", "--url", url).output, re.MULTILINE)


def test_models_of_nobody(run: Run) -> None:
    (port,) = free_ports(1)
    for scheme in ("grpc", "http"):
        result = run("models", "--url", f"{scheme}://127.0.0.1:{port}")
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
        assert "is Triton running" in result.stderr
    assert run("models", "--url", "nowhere").exit_code == 2


def test_experiment(run: Run, tmp_path: Path) -> None:
    ids = [f"user-{number}" for number in range(200)]
    (tmp_path / "ids.txt").write_text("\n".join(ids))
    arms = ("--arm", "a=1", "--arm", "b=3", "--salt", "s", "--holdout", "0.1")
    found = json.loads(
        run("experiment", "x", *arms, "--user", "user-7", "--users", tmp_path / "ids.txt", "--json").output
    )
    split = Experiment("x", {"a": 1.0, "b": 3.0}, salt="s", holdout=0.1)
    assert found["users"] == {"user-7": split.arm_of("user-7") or "held out"}
    assert found["counts"] == {
        name: sum((split.arm_of(user) or "held out") == name for user in ids) for name in ("a", "b", "held out")
    }
    assert "b: " in run("experiment", "x", *arms, "--users", tmp_path / "ids.txt").output


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_score(run: Run, folder: Path, kind: str) -> None:
    output = folder / f"out.{kind}"
    result = run("score", write_users(folder, kind, USERS), "-o", output, "--id-column", "uid", "--quiet")
    assert result.exit_code == 1
    assert "3 scored, 2 failed" in result.stderr
    rows = read_rows(output)
    assert [(int(row["row"]), row["id"]) for row in rows] == [(0, "a"), (1, "b"), (4, "e")]
    for row in rows:
        assert float(row["male"]) + float(row["female"]) == pytest.approx(1, abs=1e-3)
    failed = read_rows(folder / f"out.{kind}.failed.csv")
    assert [(row["row"], row["error"]) for row in failed] == [("2", "InvalidAvatar"), ("3", "InvalidNickname")]
    written = "".join(path.read_bytes().decode("utf-8", "replace") for path in folder.glob("out.*"))
    assert "小美" not in written
    assert sorted(path.name for path in folder.glob("*out*")) == [f"out.{kind}", f"out.{kind}.failed.csv"]


def test_score_reads_the_bytes_of_pictures(run: Run, folder: Path) -> None:
    users: list[dict[str, Any]] = [{"face": PICTURE, "name": "小美"}, {"face": None, "name": None}]
    file = write_users(folder, "parquet", users)
    result = run("score", file, "-o", folder / "out.csv", "--avatar-column", "face", "--nickname-column", "name")
    assert result.exit_code == 0
    assert [float(row["weight_avatar"]) > 0 for row in read_rows(folder / "out.csv")] == [True, False]


@pytest.mark.parametrize(
    ("users", "output", "says"),
    [
        ("gone.csv", "out.csv", "gone.csv: No such file"),
        ("users.csv", "out.xlsx", r"out\.xlsx: expected a name that ends in \.csv, \.jsonl, \.parquet"),
        ("other.csv", "out.csv", r"no column avatar, nickname; it has name"),
        ("bad.jsonl", "out.csv", r"bad\.jsonl, line 2: no JSON"),
        ("bad.parquet", "out.csv", r"bad\.parquet: no Parquet"),
    ],
)
def test_tables_that_cannot_be(run: Run, folder: Path, users: str, output: str, says: str) -> None:
    write_users(folder, "csv", USERS)
    (folder / "other.csv").write_text("name\nx\n")
    (folder / "bad.jsonl").write_text('{"nickname": "x"}\n{"nickname"\n')
    (folder / "bad.parquet").write_bytes(b"PAR1")
    result = run("score", folder / users, "-o", folder / output, "--quiet")
    assert result.exit_code == 2
    assert re.search(says, result.stderr)


def test_parts_of_another_job_are_not_mixed_in(run: Run, folder: Path) -> None:
    users = write_users(folder, "csv", USERS)
    (folder / "out.csv.parts").mkdir()
    (folder / "out.csv.parts" / "job.json").write_text("{}")
    result = run("score", users, "-o", folder / "out.csv")
    assert result.exit_code == 2
    assert "is of another input, model or choice of columns" in result.stderr


def test_a_server_that_is_gone_fails_nobody(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genderclient._retry.Retry.backoff_s", lambda *_: 0.0)
    users = write_users(folder, "csv", USERS)
    (port,) = free_ports(1)
    result = run("score", users, "-o", folder / "out.csv", "--quiet", "--url", f"http://127.0.0.1:{port}")
    assert result.exit_code == 1
    assert "is Triton running?" in result.stderr
    assert not (folder / "out.csv").exists()
    assert run("score", users, "-o", folder / "out.csv", "--quiet").exit_code == 1  # it goes on: two users are bad
    assert len(read_rows(folder / "out.csv")) == 3


@pytest.fixture
def many(folder: Path) -> Iterator[Path]:
    yield write_users(folder, "csv", [{"nickname": f"小美{number}"} for number in range(4 * parts.ROWS + 5)])


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_killed_it_goes_on_where_it_was(run: Run, many: Path, stop: signal.Signals) -> None:
    output = many.with_name("out.jsonl")
    command = [sys.executable, "-m", "genderclient", "score", str(many), "-o", str(output), "--quiet"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        while not list(many.parent.glob("out.jsonl.parts/*.jsonl")):
            assert child.poll() is None
            time.sleep(0.02)
        child.send_signal(stop)
        _, said = child.communicate()
    assert child.returncode == (130 if stop == signal.SIGINT else -signal.SIGKILL), said
    assert "Traceback" not in said
    assert not output.exists()
    finished = sorted(many.parent.glob("out.jsonl.parts/*.jsonl"))
    before = {part: part.stat().st_mtime_ns for part in finished}
    kept = [part.read_text() for part in finished]
    result = run("score", many, "-o", output, "--quiet")
    assert result.exit_code == 0
    assert f"{4 * parts.ROWS + 5} scored, 0 failed" in result.stderr
    rows = read_rows(output)
    assert [row["row"] for row in rows] == list(range(4 * parts.ROWS + 5))
    assert before
    assert rows[0] == json.loads(kept[0].splitlines()[0])


def test_help_and_completion() -> None:
    done = subprocess.run([sys.executable, "-m", "genderclient", "--help"], capture_output=True, text=True, check=True)
    for command in ("predict", "score", "health", "experiment", "--install-completion"):
        assert command in done.stdout
