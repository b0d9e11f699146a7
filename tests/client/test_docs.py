"""The snippets of the SDK's documentation run in their order on a real server."""

import base64
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from genderclient._cli.app import app
from quickstart.command import SERVE_PORTS
from tests.support.client.tls import tls_terminator, write_pem_files
from tests.support.pictures import encode, noise
from tests.support.tritonserver import ROOT, Server, free_ports

CLIENT = ROOT / "client"
PAGES = sorted(str(page.relative_to(CLIENT)) for page in (CLIENT / "README.md", *(CLIENT / "docs").glob("*.md")))
BLOCK = re.compile(r"```(\w+)(?: title=\"(.*?)\")?\n(.*?)```", re.DOTALL)
# These two have tests of their own.
SPECIAL = ("docs/servers.md", "docs/telemetry.md")
FOREIGN_COMMANDS = ("pip install", "uvicorn")
PROMISE = re.compile(r"print\(.*?\) +# ([^…\n]*(?:female|avatar:|AVATAR:|densenet|rank_embedding|True)[^…\n]*)")


@pytest.fixture
def folder(tmp_path: Path, triton: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of the snippets: `me.jpg`, `card.png` and `users.parquet`."""
    avatar = encode(noise(), "JPEG")
    (tmp_path / "me.jpg").write_bytes(avatar)
    (tmp_path / "card.png").write_bytes(encode(noise(), "PNG"))
    users = [{"uid": "1", "nickname": "🌸小美", "avatar": avatar}, {"uid": "2", "nickname": "X国强", "avatar": None}]
    pq.write_table(pa.Table.from_pylist(users), tmp_path / "users.parquet")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENDERCLIENT_URL", f"grpc://{triton.grpc_url}")
    return tmp_path


def blocks(page: str, language: str) -> list[tuple[str, str]]:
    """Title and text of each code block of a page in this language."""
    found = BLOCK.findall((CLIENT / page).read_text(encoding="utf-8"))
    return [(title, text) for block_language, title, text in found if block_language == language]


def run_snippets(page: str, addresses: dict[str, str]) -> dict[str, Any]:
    """Run the untitled snippets of a page with these addresses replaced; returns their globals."""
    scope: dict[str, Any] = {"__name__": "docs"}
    for title, text in blocks(page, "python"):
        for documented, actual in addresses.items():
            text = text.replace(documented, actual)
        if not title:
            exec(text, scope)
    return scope


@pytest.mark.parametrize("page", [page for page in PAGES if page not in SPECIAL])
def test_snippets_run_and_print_what_comments_promise(
    page: str, folder: Path, triton: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    run_snippets(page, {"127.0.0.1:8000": triton.http_url})
    printed = capsys.readouterr().out
    for _, text in blocks(page, "python"):
        for promise in PROMISE.findall(text):
            assert re.split(r"\s0\.\d", promise)[0].strip() in printed


def test_snippets_of_servers_run(folder: Path, triton: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    files = write_pem_files(tmp_path_factory.mktemp("pem"))
    for name, file in (("ca.pem", files.ca), ("client.pem", files.client), ("client.key", files.client_key)):
        (folder / name).write_bytes(file.read_bytes())
    addresses = {"127.0.0.1:8001": triton.grpc_url, "127.0.0.1:8000": triton.http_url}
    with tls_terminator(triton, files, []) as port:
        tls_address = {"grpcs://triton.example:8001": f"https://127.0.0.1:{port}"}
        scope = run_snippets("docs/servers.md", addresses | tls_address)
    assert scope["prediction"].gender == "female"


def test_telemetry_table_lists_metrics(folder: Path) -> None:
    """In a process of its own, because OpenTelemetry can be configured once."""
    ((_, script),) = blocks("docs/telemetry.md", "python")
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    (resource,) = json.loads(run.stdout)["resource_metrics"]
    names = {metric["name"] for scope in resource["scope_metrics"] for metric in scope["metrics"]}
    page = (CLIENT / "docs" / "telemetry.md").read_text("utf-8")
    documented = set(re.findall(r"^\| `(genderclient\.[\w.]+)`", page, re.MULTILINE))
    assert names == documented - {"genderclient.errors", "genderclient.results"}


@pytest.mark.parametrize("page", PAGES)
def test_commands_succeed(page: str, folder: Path) -> None:
    for _, text in blocks(page, "sh"):
        for line in text.splitlines():
            if not line.startswith(FOREIGN_COMMANDS):
                program, *arguments = line.split("#")[0].split()
                result = CliRunner().invoke(app, arguments)
                assert (program, result.exit_code, result.exception) == ("genderclient", 0, None), result.output


def test_service_answers(folder: Path) -> None:
    (service,) = (text for title, text in blocks("docs/service.md", "python") if title == "service.py")
    (folder / "service.py").write_text(service, encoding="utf-8")
    with running_service(folder) as url:
        status, chosen = post(url, {"nickname": "🌸小美", "liked": [17, 4]})
        assert (status, 1 <= chosen["picture"] <= 400) == (200, True)
        assert post(url, {"liked": [-1]})[0] == 422
        avatar = base64.b64encode((folder / "me.jpg").read_bytes()).decode()
        assert post(url, {"nickname": "🌸小美", "avatar": avatar})[0] == 200
        status, error = post(url, {"avatar": base64.b64encode(b"not an image").decode()})
        assert (status, "AVATAR: not an image" in error["detail"]) == (422, True)


def test_service_does_not_collide_with_triton() -> None:
    (command,) = (text for _, text in blocks("docs/service.md", "sh") if text.startswith("uvicorn"))
    assert int(command.split("--port")[1]) not in SERVE_PORTS


@contextmanager
def running_service(folder: Path) -> Iterator[str]:
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "uvicorn", "service:app", "--port", str(port)]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        try:
            while not is_ready(url):
                assert process.poll() is None, process.communicate()
                time.sleep(0.05)
            yield url
        finally:
            process.terminate()


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/ready") as response:
            return bool(response.status == 204)
    except urllib.error.URLError:
        return False


def post(url: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    data, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}/picture", data, headers)) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
