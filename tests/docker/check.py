"""Checks the images without a container engine.

    python -m tests.docker.check [--python <python3.12>]

Executes each Dockerfile's install steps in clean virtual environments, then runs what the image runs. NVIDIA's Triton
is not available here. The wheel's Triton serves `preprocess` instead, with only the packages that NVIDIA's image gets.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psutil

from server.launch.process import free_ports
from tests.support.docker.dockerfiles import FILES
from tests.support.docker.replay import Built, ReplayError, build, find_python

READY_S: Final = 90.0
PREPROCESS_ONE_USER: Final = """
import sys
import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput
client = InferenceServerClient(sys.argv[1])
inputs = [InferInput(name, [1, 1], "BYTES") for name in ("AVATAR", "NICKNAME")]
avatar, nickname = open(sys.argv[2], "rb").read(), "小美".encode()
for tensor, value in zip(inputs, (avatar, nickname)):
    tensor.set_data_from_numpy(np.array([[value]], np.object_))
assert client.infer("preprocess", inputs).as_numpy("PRESENT").tolist() == [[True, True]]
"""


def check_wheel(wheel: Built, folder: Path) -> None:
    """Check that the image serves, and that its health check fails once the server has stopped."""
    url = _serve(wheel, wheel, folder)
    if wheel.run(wheel.stage.health, GENDERCLIENT_URL=url).returncode == 0:
        raise ReplayError("the health check succeeds after the server has stopped")


def check_triton(triton: Built, wheel: Built, folder: Path) -> None:
    """Check that the entrypoint serves `preprocess` with the image's packages, and that the health check works."""
    ports, flags = _own_ports()
    programs = _stand_in(triton, wheel, folder)
    path = os.pathsep.join((str(programs), triton.all_variables()["PATH"]))
    entrypoint, *arguments = triton.stage.command
    models = [argument.replace("=/", f"={triton.root}/") for argument in arguments]
    only = ["--model-control-mode=explicit", "--load-model=preprocess"]
    command = [str(triton.path("/usr/local/bin") / entrypoint), *models, *flags, *only]
    picture = triton.path("/models/preprocess/1/genderprep/probes/portrait.jpg")
    ask = ["python3", "-c", PREPROCESS_ONE_USER, f"127.0.0.1:{ports[1]}", str(picture)]
    with triton.running(command, folder / "log", PATH=path) as server:
        _wait(triton, ask, folder / "log", server.poll)
        _check_packages(server.pid, triton.environment)
    print(f"  {' '.join(triton.stage.command)}: preprocess answers")
    _serve(wheel, triton, folder)


def _serve(server: Built, asking: Built, folder: Path) -> str:
    """Run one image until the health check of another succeeds; return the URL."""
    ports, flags = _own_ports()
    url = f"grpc://127.0.0.1:{ports[1]}"
    with server.running([*server.stage.command, *flags, f"--status-port={ports[3]}"], folder / "log") as process:
        _wait(asking, asking.stage.health, folder / "log", process.poll, GENDERCLIENT_URL=url)
    print(f"  {' '.join(server.stage.command)}: answers; {' '.join(asking.stage.health)}: 0")
    if process.returncode != 128 + signal.SIGTERM:
        raise ReplayError(
            f"expected SIGTERM to end the server, its exit code is {process.returncode}\n{(folder / 'log').read_text()}"
        )
    return url


def _check_packages(server: int, environment: Path) -> None:
    """Check that the stubs load Pillow from this environment."""
    stubs = psutil.Process(server).children(recursive=True)
    paths = {each.path for stub in stubs for each in stub.memory_maps() if "/PIL/_imaging." in each.path}
    if not paths or not all(path.startswith(f"{environment}/") for path in paths):
        raise ReplayError(f"expected Pillow from {environment}, got {paths or 'none'}")


def check_training(training: Built, folder: Path) -> None:
    """Check that the image synthesizes users, and that the commands for training and publishing start."""
    for command in (
        ["training.synthetic.synthesize", "--out", str(folder / "data"), "--count", "200"],
        ["training.gender.train", "--help"],
        ["conversion.publish", "--help"],
    ):
        done = training.run([*training.stage.last("ENTRYPOINT"), *command])
        if done.returncode:
            raise ReplayError(f"{command}\n{done.stdout}{done.stderr}")
        print(f"  {' '.join(command)}: 0")


def _own_ports() -> tuple[list[int], list[str]]:
    """Return four free ports, and the flags that move Triton to the first three. The last flags count."""
    ports = free_ports(4)
    named = zip(("http", "grpc", "metrics"), ports, strict=False)
    return ports, [flag for name, port in named for flag in (f"--{name}-address=127.0.0.1", f"--{name}-port={port}")]


def _wait(built: Built, command: list[str], log: Path, ended: Callable[[], int | None], **variables: str) -> None:
    """Wait until the command succeeds."""
    deadline = time.monotonic() + READY_S
    while (done := built.run(command, **variables)).returncode:
        if ended() is not None or time.monotonic() > deadline:
            raise ReplayError(f"{command}: {done.stdout}{done.stderr}\n{log.read_text()}")


def _stand_in(triton: Built, wheel: Built, folder: Path) -> Path:
    """Create a folder with the wheel's `tritonserver`, run by the Python of the Triton image with its packages."""
    packages, programs = folder / "packages", folder / "programs"
    packages.mkdir()
    programs.mkdir()
    (installed,) = (wheel.environment / "lib").glob("python3*/site-packages")
    for name in ("pytriton", "nvidia_pytriton.libs"):
        (packages / name).symlink_to(installed / name)
    program = programs / "tritonserver"
    variables = f"PYTHONPATH={wheel.path('')}:{packages} XDG_CACHE_HOME={folder}/cache"
    program.write_text(f'#!/bin/sh\n{variables} exec {triton.environment}/bin/python -m server.launch.launcher "$@"\n')
    program.chmod(0o755)
    # Creates the runtime folder while it is writable.
    triton.run([str(program), "--help"])
    return programs


def check(python: str) -> None:
    """Build and run all images.

    Raises:
        ReplayError: A step failed. The message ends with its output.
    """
    # Not in /tmp: hardened commands get their own /tmp.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        built = {image: _build(image, python, Path(name)) for image in ("wheel", "triton", "training")}
        check_wheel(built["wheel"], _folder(name, "wheel"))
        check_triton(built["triton"], built["wheel"], _folder(name, "triton"))
        check_training(built["training"], _folder(name, "training"))


def _build(image: str, python: str, folder: Path) -> Built:
    print(f"docker/{image}.Dockerfile", flush=True)
    return build(FILES[image], python, folder / image)


def _folder(name: str, image: str) -> Path:
    """Return a writable folder for a check."""
    folder = Path(name) / f"{image}-check"
    folder.mkdir()
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", help="path of a Python 3.12, if none is on PATH")
    try:
        check(parser.parse_args().python or find_python())
    except ReplayError as error:
        sys.exit(f"check: {error}")


if __name__ == "__main__":
    main()
