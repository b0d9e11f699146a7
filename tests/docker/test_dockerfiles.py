"""The Dockerfiles: linted by hadolint, pinned, without root, and in agreement with the launcher."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from release.versions import current_version
from server.launch.launcher import ALGEBRA, ALLOCATOR
from tests.support.docker.context import files_of, is_sent
from tests.support.docker.dockerfiles import FILES, Stage, copied, image, stages
from tests.support.tritonserver import ROOT

# Found even if the virtual environment is not activated.
HADOLINT = shutil.which("hadolint", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
ALL = [(name, stage) for name, file in FILES.items() for stage in stages(file)]


def every(instruction: str) -> list[tuple[str, str]]:
    return [(name, value) for name, stage in ALL for value in stage.values(instruction)]


LOCKS = sorted({lock for _, value in every("RUN") for lock in re.findall(r"\S+\.txt", value)})


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed; it is in the extra `dev`")
@pytest.mark.parametrize("name", FILES)
def test_hadolint_finds_nothing(name: str) -> None:
    assert HADOLINT
    done = subprocess.run([HADOLINT, "--failure-threshold=style", str(FILES[name])], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", FILES)
def test_build_command_is_documented(name: str) -> None:
    command = f"docker build --file docker/{FILES[name].name} --tag gender-{name}:{current_version(ROOT)} ."
    assert command in FILES[name].read_text(encoding="utf-8")
    assert command in (ROOT / "docker" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("stage", [stage for _, stage in ALL], ids=lambda stage: stage.base)
def test_base_images_are_pinned(stage: Stage) -> None:
    assert re.fullmatch(r"[a-z./]+:\d+\.\d+(-[a-z0-9-]+)?", stage.base)


@pytest.mark.parametrize("name", FILES)
def test_containers_do_not_run_as_root(name: str) -> None:
    user, group = image(name).last("USER")[0].split(":")
    assert int(user) > 0
    assert int(group) > 0


@pytest.mark.parametrize(("name", "value"), every("COPY"))
def test_copied_files_exist(name: str, value: str) -> None:
    stage, sources, _ = copied(value)
    if stage:
        assert stage in {each.name for each in stages(FILES[name])}
    else:
        assert all(files_of(source) for source in sources)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, value in every("RUN") if "pip " in value])
def test_installed_packages_are_pinned_by_hash(name: str, value: str) -> None:
    for command in value.split("&&"):
        assert "--no-cache-dir" in command
        if locks := re.findall(r"--requirement (\S+)", command):
            assert "--require-hashes" in command
            assert all("--hash=sha256:" in (ROOT / lock).read_text(encoding="utf-8") for lock in locks)
        else:
            assert "--no-deps" in command, "packages of this repository only"
            assert command.split()[-1] in {"./client", "wheels/*.whl"}


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("model_repository/preprocess/1/model.py", True),
        ("client/LICENSE", True),  # pyproject.toml names it
        ("model_repository/preprocess/1/__pycache__/model.cpython-311.pyc", False),
        (".git/config", False),
        ("docker/secrets/tls.key", False),
        ("runs/data/manifest.csv", False),
        (".venv/bin/python", False),
        ("tests/conftest.py", False),
    ],
)
def test_build_context(path: str, sent: bool) -> None:
    assert is_sent(path) is sent


def test_settings_of_libraries_are_those_of_the_launcher() -> None:
    expected = ALLOCATOR | ALGEBRA
    assert {name: value for name, value in image("triton").environment.items() if name in expected} == expected


@pytest.mark.parametrize("name", ["triton", "wheel"])
def test_health_check_is_an_inference(name: str) -> None:
    assert image(name).health == ["genderclient", "health"]


def test_triton_image_installs_only_what_the_models_import() -> None:
    names = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements" / "container.txt").read_text(), re.MULTILINE)
    assert {"numpy", "pillow", "regex", "tritonclient", "typer"} <= set(names)
    assert not {"nvidia-pytriton", "onnxruntime", "tensorflow-cpu", "matplotlib", "setuptools"} & set(names)


@pytest.mark.parametrize("lock", LOCKS)
def test_images_install_the_tested_versions(lock: str) -> None:
    def pins(file: Path) -> set[str]:
        return set(re.findall(r"^[A-Za-z0-9.-]+==\S+", file.read_text(encoding="utf-8"), re.MULTILINE))

    assert pins(ROOT / lock)
    assert pins(ROOT / lock) <= pins(ROOT / "requirements" / "dev.txt")
