"""The client's wheel with its dependencies, in clean environments of every supported Python that is installed.

    make wheel

It needs the package index, so `make test` leaves it out.
"""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest

from release.package import build_package
from tests.support.tritonserver import ROOT, Server

VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
RUNNING = f"3.{sys.version_info.minor}"
on_the_running_version = pytest.mark.parametrize("programs", [RUNNING], indirect=True)
on_the_other_versions = pytest.mark.parametrize(
    "programs", [version for version in VERSIONS if version != RUNNING], indirect=True
)
MAX_IMPORT_S = 0.2
PIP = ("-m", "pip", "--disable-pip-version-check", "--quiet")
UNITS = tuple(
    f"tests/client/{name}.py"
    for name in (
        *(
            "questions/test_pictures",
            "questions/test_ranking",
            "test_client",
            "test_hedging",
            "test_many",
            "test_retry",
        ),
        *("experiments/test_shadow_requests", "transports/test_base", "transports/test_lookup", "transports/test_url"),
    )
)
PYRIGHT = "pyright@1.1.414"

IMPORT = """
import sys, time
start = time.process_time()
import genderclient
print(time.process_time() - start)
assert "grpc" not in sys.modules
assert "site-packages" in genderclient.__file__
"""
PREDICT = """
import asyncio, sys
from genderclient import AsyncClient, Client

async def predict(url):
    async with AsyncClient(url) as client:
        return await client.predict(nickname="小美")

for url in sys.argv[1:]:
    with Client(url) as client:
        prediction = client.predict(nickname="小美")
    assert prediction.gender == "female", prediction
    assert asyncio.run(predict(url)).probabilities == prediction.probabilities, prediction
"""
WELL_TYPED = """
import numpy as np
from genderclient import AsyncClient, Client, Experiment, Gender, GenderClientError, Prediction, User, predict
from genderclient import HistoryStore, ImpressionLog, Picture, Ranking, RedisHistory, UserFeatures, __version__, rank

def gender(nickname: str | None) -> Gender:
    try:
        return predict(nickname=nickname, avatar=b"", timeout_s=1).gender
    except GenderClientError as error:
        raise SystemExit(str(error)) from error

def arms(client: Client) -> list[str | None]:
    scored = client.predict_many([User(nickname="a", id="1")], ordered=False)
    return [each.prediction.arm for each in scored if each.prediction]

async def embedding(client: AsyncClient) -> tuple[float, ...] | None:
    prediction: Prediction = await client.predict(avatar="me.jpg", embedding=True)
    return prediction.embedding

def with_options(client: Client) -> Prediction:
    other = client.with_options(timeout_s=2, headers={"x-team": "ads"}, model_version="1")
    return other.predict(avatar=np.zeros((2, 2), np.uint8), nickname=__version__)

def lists(client: Client, features: UserFeatures) -> list[tuple[int, ...]]:
    users = [User(nickname="a", liked=[1, 2]), User(features=features)]
    first = rank(features=features, liked=(1,), among=range(20), seed=1).pictures
    return [first, *(each.ranking.pictures for each in client.rank_many(users, k=3) if each.ranking)]

def neighbors(client: Client) -> tuple[tuple[int, ...], tuple[float, ...] | None]:
    embedded = [each.embedding for each in client.embed_many([Picture(picture=b"", title="a")])]
    return client.similar(17).pictures, embedded[0].vector if embedded[0] else None

async def ranking(client: AsyncClient, history: HistoryStore) -> Ranking:
    return await client.rank(nickname="a", liked=history.liked("1"), user_id="1")

redis: HistoryStore = RedisHistory("redis://127.0.0.1:6379/0")
logged = Client(on_impression=ImpressionLog("shown"))
client = Client(["grpc://a", "grpc://b"], experiment=Experiment("backbone", {"one": 0.5, "two": 0.5}))
"""
WITH_PILLOW = """
from PIL import Image
from genderclient import predict

print(predict(avatar=Image.new("RGB", (1, 1))).gender)
"""
BADLY_TYPED = """
from genderclient import predict
age: int = predict(nickname="a").probability
predict(nickname=b"a")
"""


def find_python(version: str) -> str | None:
    """A Python of this version: the running one, one on the path, or one of pyenv."""
    installed = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob(f"versions/{version}.*/bin/python")
    candidates = [sys.executable, shutil.which(f"python{version}"), *map(str, installed)]
    return next((path for path in candidates if path and python_version(path) == version), None)


def python_version(path: str) -> str:
    code = "import sys; print(*sys.version_info[:2], sep='.')"
    return subprocess.run([path, "-c", code], capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the source distribution. Twine and check-wheel-contents have found nothing."""
    wheel, _ = build_package(ROOT / "client", tmp_path_factory.mktemp("wheel"))
    return wheel


@pytest.fixture(scope="module", params=VERSIONS)
def programs(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The programs of an environment with the wheel and its dependencies only."""
    base = find_python(request.param)
    if base is None:
        pytest.skip(f"no Python {request.param} on this machine")
    folder = tmp_path_factory.mktemp(request.param)
    # Each environment gets its own pip: the pip of an older Python does not run on a newer one.
    subprocess.run([base, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin" / "python", *PIP, "install", "--no-compile", wheel], check=True)
    yield folder / "bin"
    shutil.rmtree(folder)


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command without this process' settings of Python and mypy."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MYPY"))}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def test_wheel_contains_sources_only(wheel: Path) -> None:
    project = tomllib.loads((ROOT / "client" / "pyproject.toml").read_text())["project"]
    name = f"genderclient-{project['version']}"
    with zipfile.ZipFile(wheel) as archive:
        files = {file for file in archive.namelist() if not file.startswith(f"{name}.dist-info/")}
    sources = ROOT / "client" / "src"
    assert wheel.name == f"{name}-py3-none-any.whl"
    assert files == {
        "genderclient/py.typed",
        *(str(file.relative_to(sources)) for file in (sources / "genderclient").rglob("*.py")),
    }


def test_import_is_fast(programs: Path, tmp_path: Path) -> None:
    seconds = [float(run(programs / "python", "-c", IMPORT, folder=tmp_path).stdout) for _ in range(5)]
    assert min(seconds) < MAX_IMPORT_S


def test_predict_works_over_both_protocols(programs: Path, tmp_path: Path, triton: Server) -> None:
    urls = (f"grpc://{triton.grpc_url}", f"http://{triton.http_url}")
    done = run(programs / "python", "-c", PREDICT, *urls, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@on_the_other_versions
def test_units_pass(programs: Path) -> None:
    """The tests of the SDK that need neither a server nor packages of their own."""
    subprocess.run([programs / "python", *PIP, "install", "--no-compile", "pytest", "pillow"], check=True)
    options = ("--noconftest", "--quiet", "-k", "not real_server", "--override-ini=addopts=--import-mode=importlib")
    done = run(programs / "python", "-m", "pytest", *options, *UNITS, folder=ROOT)
    assert done.returncode == 0, done.stdout


def test_command_names_missing_package(programs: Path, tmp_path: Path) -> None:
    done = run(programs / "genderclient", "--help", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("genderclient: No module named 'typer'; ")
    assert done.stderr.endswith("pip install 'genderclient[cli]'\n")


@on_the_running_version
def test_type_checker_sees_types(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(WELL_TYPED)
    (tmp_path / "bad.py").write_text(BADLY_TYPED)
    mypy = (sys.executable, "-m", "mypy", "--strict", "--python-executable", programs / "python")
    good, bad = (run(*mypy, name, folder=tmp_path) for name in ("good.py", "bad.py"))
    assert good.returncode == 0, good.stdout
    assert [line.rsplit("[")[-1] for line in bad.stdout.splitlines()[:-1]] == ["assignment]", "arg-type]"]


@on_the_running_version
@pytest.mark.skipif(shutil.which("npx") is None, reason="pyright needs node")
def test_pyright_strict_is_clean(programs: Path, tmp_path: Path) -> None:
    """First without Pillow, as the wheel is installed, then with it."""
    for name, code in (("good", WELL_TYPED), ("bad", BADLY_TYPED), ("image", WITH_PILLOW)):
        (tmp_path / f"{name}.py").write_text(f"# pyright: strict\n{code}")
    pyright = ("npx", "--yes", PYRIGHT, "--pythonpath", programs / "python")
    good, bad = (run(*pyright, name, folder=tmp_path) for name in ("good.py", "bad.py"))
    assert (good.returncode, good.stdout.splitlines()[-1]) == (0, "0 errors, 0 warnings, 0 informations"), good.stdout
    assert bad.stdout.count("error:") == 2
    subprocess.run([programs / "python", *PIP, "install", "--no-compile", "pillow"], check=True)
    image = run(*pyright, "good.py", "image.py", folder=tmp_path)
    assert image.returncode == 0, image.stdout


@on_the_running_version
def test_newest_protobuf_and_greenlet_fit(programs: Path, tmp_path: Path, triton: Server) -> None:
    newest = ("protobuf>=7", "greenlet>=3.4")
    subprocess.run([programs / "python", *PIP, "install", "--no-compile", "--upgrade", *newest], check=True)
    subprocess.run([programs / "python", *PIP, "check"], check=True)
    done = run(programs / "python", "-W", "error", "-c", PREDICT, f"grpc://{triton.grpc_url}", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_wheel_names_license_authors_and_classifiers(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (file for file in archive.namelist() if file.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(archive.read(name))
        assert archive.read(name.replace("METADATA", "licenses/LICENSE")) == (ROOT / "LICENSE").read_bytes()
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Author"]
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
