"""The documentation: it builds, and every snippet of every page runs, in its order, on a real server."""

import base64
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from genderclient._cli.app import app
from server.launch.process import free_ports
from tests.client.test_tls import Files, files, terminator
from tests.support.pictures import encode, noise
from tests.support.tritonserver import ROOT, Server

__all__ = ["files"]

DOCS = ROOT / "client" / "docs"
PAGES = sorted(page.name for page in DOCS.glob("*.md"))
BLOCK = re.compile(r"```(\w+)(?: title=\"(.*?)\")?\n(.*?)```", re.DOTALL)
# What a user does outside of this: installing, and starting his own service.
NOT_OURS = ("pip install", "uvicorn")


@pytest.fixture
def folder(tmp_path: Path, triton: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the pages' files are: a picture, and a table of users."""
    picture = encode(noise(), "JPEG")
    (tmp_path / "me.jpg").write_bytes(picture)
    users = [{"uid": "1", "nickname": "🌸小美", "avatar": picture}, {"uid": "2", "nickname": "X国强", "avatar": None}]
    pq.write_table(pa.Table.from_pylist(users), tmp_path / "users.parquet")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENDERCLIENT_URL", f"grpc://{triton.grpc_url}")
    return tmp_path


def page(name: str) -> list[tuple[str, str, str]]:
    """Language, title and text of each block."""
    return BLOCK.findall((DOCS / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", [name for name in PAGES if name not in ("servers.md", "telemetry.md")])
def test_python(name: str, folder: Path) -> None:
    scope: dict[str, Any] = {"__name__": "docs"}
    for language, title, text in page(name):
        if language == "python" and not title:
            exec(text, scope)


def test_python_of_servers(folder: Path, triton: Server, files: Files) -> None:
    for name, file in (("ca.pem", files.ca), ("client.pem", files.client), ("client.key", files.client_key)):
        (folder / name).write_bytes(file.read_bytes())
    addresses = {"127.0.0.1:8001": triton.grpc_url, "127.0.0.1:8000": triton.http_url}
    scope: dict[str, Any] = {}
    with terminator(triton, files, []) as port:
        addresses["grpcs://triton.example:8001"] = f"https://127.0.0.1:{port}"
        for _, _, text in page("servers.md"):
            for written, real in addresses.items():
                text = text.replace(written, real)
            exec(text, scope)
    assert scope["answer"].gender == "female"


def test_python_of_telemetry(folder: Path) -> None:
    """In a process of its own: OpenTelemetry can be set up once."""
    (script,) = (text for language, _, text in page("telemetry.md") if language == "python")
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    (resource,) = json.loads(run.stdout)["resource_metrics"]
    names = {metric["name"] for scope in resource["scope_metrics"] for metric in scope["metrics"]}
    table = re.findall(r"^\| `(genderclient\.[\w.]+)`", (DOCS / "telemetry.md").read_text("utf-8"), re.MULTILINE)
    assert names == set(table) - {"genderclient.errors"}


@pytest.mark.parametrize("name", PAGES)
def test_commands(name: str, folder: Path) -> None:
    for language, _, text in page(name):
        for line in text.splitlines() if language == "sh" else ():
            if not line.startswith(NOT_OURS):
                program, *arguments = line.split()
                result = CliRunner().invoke(app, arguments)
                assert (program, result.exit_code, result.exception) == ("genderclient", 0, None), result.output


def test_what_they_print_is_what_they_say(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    promised = []
    for name in ("index.md", "errors.md", "experiments.md"):
        for language, _, text in page(name):
            if language == "python":
                promised += re.findall(r"print\(.*?\) +# ([^…\n]*(?:female|avatar:|AVATAR:|densenet)[^…\n]*)", text)
        test_python(name, folder)
    said = capsys.readouterr().out
    starts = [re.split(r"0\.\d", line)[0].strip() for line in promised]
    assert len(starts) >= 4
    assert [start for start in starts if start not in said] == []


def test_the_service(folder: Path) -> None:
    (service,) = (text for _, title, text in page("service.md") if title == "service.py")
    (folder / "service.py").write_text(service, encoding="utf-8")
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "uvicorn", "service:app", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_for(port, process)
            assert post(port, {"nickname": "🌸小美"}) == (200, {"picture": "for-her.jpg"})
            avatar = base64.b64encode((folder / "me.jpg").read_bytes()).decode()
            assert post(port, {"nickname": "🌸小美", "avatar": avatar})[0] == 200
            code, said = post(port, {"avatar": base64.b64encode(b"no picture").decode()})
            assert (code, "AVATAR: not an image" in said["detail"]) == (422, True)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready") as answer:
                assert answer.status == 204
        finally:
            process.terminate()


def wait_for(port: int, process: "subprocess.Popen[str]") -> None:
    while process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(process.stderr and process.stderr.read())


def post(port: int, body: dict[str, str]) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/picture", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_the_site_builds(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path / "site")]
    run = subprocess.run(
        command, cwd=ROOT / "client", env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    reference = (tmp_path / "site" / "reference.html").read_text(encoding="utf-8")
    for name in ("predict", "Client", "AsyncClient", "Prediction", "Experiment", "Hedge", "AvatarFetcher"):
        assert f'id="genderclient.{name}"' in reference
