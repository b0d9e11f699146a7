"""The Dockerfiles: linted by hadolint, and what they say about files, users and settings is true."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from server.launch.launcher import ALLOCATOR
from tests.support.docker.context import files_of, is_sent
from tests.support.docker.dockerfiles import FILES, Stage, copied, image, stages
from tests.support.tritonserver import ROOT

# Also where this environment is not activated.
HADOLINT = shutil.which("hadolint", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
SERVING = ("triton", "wheel")
ALL = [(name, stage) for name, file in FILES.items() for stage in stages(file)]


def every(instruction: str) -> list[tuple[str, str]]:
    return [(name, value) for name, stage in ALL for value in stage.values(instruction)]


@pytest.mark.skipif(HADOLINT is None, reason="there is no hadolint; it is in the extra `dev`")
@pytest.mark.parametrize("name", FILES)
def test_hadolint_has_nothing_to_say(name: str) -> None:
    assert HADOLINT
    done = subprocess.run([HADOLINT, "--failure-threshold=style", str(FILES[name])], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", FILES)
def test_each_says_how_it_is_built(name: str) -> None:
    command = f"docker build --file docker/{name}.Dockerfile --tag gender-{name}:0.1.0 ."
    assert command in FILES[name].read_text(encoding="utf-8")
    assert command in (ROOT / "docker" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("stage", [stage for _, stage in ALL], ids=lambda stage: stage.base)
def test_bases_are_pinned(stage: Stage) -> None:
    assert re.fullmatch(r"[a-z./]+:\d+\.\d+(-[a-z0-9-]+)?", stage.base)


@pytest.mark.parametrize("name", FILES)
def test_nobody_is_root(name: str) -> None:
    user, group = image(name).last("USER")[0].split(":")
    assert int(user) > 0
    assert int(group) > 0


@pytest.mark.parametrize(("name", "value"), every("COPY"))
def test_what_is_copied_is_there(name: str, value: str) -> None:
    stage, sources, _ = copied(value)
    if stage:
        assert stage in {each.name for each in stages(FILES[name])}
    else:
        assert all(files_of(source) for source in sources)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, value in every("RUN") if "pip " in value])
def test_everything_installed_is_pinned(name: str, value: str) -> None:
    for command in value.split("&&"):
        assert "--no-cache-dir" in command
        locks = re.findall(r"--requirement (\S+)", command)
        if locks:
            assert "--require-hashes" in command
            assert all("--hash=sha256:" in (ROOT / lock).read_text(encoding="utf-8") for lock in locks)
        else:
            assert "--no-deps" in command, "of this repository only"
            assert command.split()[-1] in {"./client", "wheels/*.whl"}


@pytest.mark.parametrize(
    "path",
    [".git/config", "docker/secrets/tls.key", "runs/data/manifest.csv", ".venv/bin/python", "tests/conftest.py"],
)
def test_what_does_not_belong_into_an_image_is_not_sent(path: str) -> None:
    assert not is_sent(path)
    assert is_sent("model_repository/preprocess/1/model.py")
    assert not is_sent("model_repository/preprocess/1/__pycache__/model.cpython-311.pyc")


def test_memory_is_kept_as_the_launcher_keeps_it() -> None:
    settings = image("triton").environment
    assert {name: value for name, value in settings.items() if name.startswith("MALLOC_")} == ALLOCATOR


@pytest.mark.parametrize("name", SERVING)
def test_health_is_an_inference(name: str) -> None:
    assert image(name).health == ["genderclient", "health"]


def test_nvidias_image_gets_what_the_models_import_and_no_more() -> None:
    names = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements" / "container.txt").read_text(), re.MULTILINE)
    assert {"numpy", "pillow", "regex", "tritonclient", "typer"} <= set(names)
    assert not {"nvidia-pytriton", "onnxruntime", "tensorflow-cpu", "matplotlib", "setuptools"} & set(names)


@pytest.mark.parametrize(
    "lock", sorted({match for _, value in every("RUN") for match in re.findall(r"\S+\.txt", value)})
)
def test_images_have_the_versions_that_were_tested(lock: str) -> None:
    def pins(file: Path) -> set[str]:
        return set(re.findall(r"^[A-Za-z0-9.-]+==\S+", file.read_text(encoding="utf-8"), re.MULTILINE))

    assert pins(ROOT / lock)
    assert pins(ROOT / lock) <= pins(ROOT / "requirements" / "dev.txt")
