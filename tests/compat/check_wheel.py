"""The client as its users get it: its wheel with what it pulls in, in clean environments of every Python there is.

    make wheel

Needs the package index, so `make test` leaves it out.
"""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.tritonserver import ROOT, Server

VERSIONS = ("3.11", "3.12", "3.13")
QUICK_S = 0.2
PIP = ("-m", "pip", "--disable-pip-version-check", "--quiet")

IMPORT = """
import sys, time
start = time.perf_counter()
import genderclient
print(time.perf_counter() - start)
assert "tritonclient" not in sys.modules
assert "site-packages" in genderclient.__file__
"""
PREDICT = """
import asyncio, sys
from genderclient import AsyncClient, Client

async def ask(url):
    async with AsyncClient(url) as client:
        return await client.predict(nickname="小美")

for url in sys.argv[1:]:
    with Client(url) as client:
        said = client.predict(nickname="小美")
    assert said.gender == "female" and asyncio.run(ask(url)).probabilities == said.probabilities, said
"""
TYPED = """
from genderclient import AsyncClient, Client, Experiment, Gender, GenderClientError, Prediction, User, predict

def greet(nickname: str | None) -> Gender:
    try:
        return predict(nickname=nickname, avatar=b"", timeout_s=1).gender
    except GenderClientError as error:
        raise SystemExit(str(error)) from error

def arms(client: Client) -> list[str | None]:
    scored = client.predict_many([User(nickname="a", id="1")], ordered=False)
    return [each.prediction.arm for each in scored if each.prediction]

async def embedding(client: AsyncClient) -> tuple[float, ...] | None:
    said: Prediction = await client.predict(avatar="me.jpg", embedding=True)
    return said.embedding

client = Client(["grpc://a", "grpc://b"], experiment=Experiment("backbone", {"one": 0.5, "two": 0.5}))
"""
MISTYPED = """
from genderclient import predict
age: int = predict(nickname="a").probability
predict(nickname=b"a")
"""


def python(version: str) -> str | None:
    """A Python of that version: this one, one on the path, or one of pyenv's."""
    installed = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob(f"versions/{version}.*/bin/python")
    candidates = [sys.executable, shutil.which(f"python{version}"), *map(str, installed)]
    return next((path for path in candidates if path and version_of(path) == version), None)


def version_of(path: str) -> str:
    run = subprocess.run(
        [path, "-c", "import sys; print(*sys.version_info[:2], sep='.')"], capture_output=True, text=True
    )
    return run.stdout.strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Setuptools builds beside the sources.
    sources, folder = tmp_path_factory.mktemp("client") / "client", tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "client", sources, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    subprocess.run(
        [sys.executable, *PIP, "wheel", "--no-deps", "--no-build-isolation", f"--wheel-dir={folder}", sources],
        check=True,
    )
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module", params=VERSIONS)
def programs(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The programs of an environment with nothing but the wheel and what it asks for."""
    base = python(request.param)
    if base is None:
        pytest.skip(f"no Python {request.param} on this machine")
    folder = tmp_path_factory.mktemp(request.param)
    # With a pip of its own: that of an older Python does not run on a newer one.
    subprocess.run([base, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin" / "python", *PIP, "install", "--no-compile", wheel], check=True)
    yield folder / "bin"
    shutil.rmtree(folder)


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Without what this process' environment says about Python."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MYPY"))}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def test_what_is_in_it(wheel: Path) -> None:
    project = tomllib.loads((ROOT / "client" / "pyproject.toml").read_text())["project"]
    name = f"genderclient-{project['version']}"
    with zipfile.ZipFile(wheel) as archive:
        files = set(archive.namelist())
    sources = ROOT / "client" / "src"
    code = {str(file.relative_to(sources)) for file in (sources / "genderclient").rglob("*.py")}
    assert wheel.name == f"{name}-py3-none-any.whl"
    assert {file for file in files if not file.startswith(f"{name}.dist-info/")} == code | {"genderclient/py.typed"}


def test_importing_is_quick(programs: Path, tmp_path: Path) -> None:
    seconds = [float(run(programs / "python", "-c", IMPORT, folder=tmp_path).stdout) for _ in range(5)]
    assert min(seconds) < QUICK_S


def test_predicting(programs: Path, tmp_path: Path, triton: Server) -> None:
    urls = (f"grpc://{triton.grpc_url}", f"http://{triton.http_url}")
    asked = run(programs / "python", "-c", PREDICT, *urls, folder=tmp_path)
    assert (asked.returncode, asked.stderr) == (0, "")


def test_the_command_says_what_it_lacks(programs: Path, tmp_path: Path) -> None:
    asked = run(programs / "genderclient", "--help", folder=tmp_path)
    assert asked.returncode == 1
    hint = "genderclient: No module named 'typer'; install what the command needs: pip install 'genderclient[cli]'\n"
    assert (asked.stdout, asked.stderr) == ("", hint)


def test_its_types_reach_its_users(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "typed.py").write_text(TYPED)
    (tmp_path / "mistyped.py").write_text(MISTYPED)
    mypy = (sys.executable, "-m", "mypy", "--strict", "--python-executable", programs / "python")
    good, bad = (run(*mypy, name, folder=tmp_path) for name in ("typed.py", "mistyped.py"))
    assert good.returncode == 0, good.stdout
    assert [line.rsplit("[")[-1] for line in bad.stdout.splitlines()[:-1]] == ["assignment]", "arg-type]"]
