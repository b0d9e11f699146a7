"""Whether the images would work, as far as that shows without a container engine.

    python -m tests.docker.check [--python <python3.12>]

Does each Dockerfile's install steps in clean virtual environments, then runs what the image runs. NVIDIA's Triton is
not here: of its image, `preprocess` is served by the wheel's Triton with nothing installed but what the image installs.
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
PREPARE_ONE: Final = """
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
    """It serves, its health check says so, and says otherwise when it is gone."""
    url = _serve(wheel, wheel, folder)
    if wheel.run(wheel.stage.health, GENDERCLIENT_URL=url).returncode == 0:
        raise ReplayError("the health check is content with a server that is gone")


def check_triton(triton: Built, wheel: Built, folder: Path) -> None:
    """Its entrypoint serves `preprocess` from what the image installs, and its health check asks every model."""
    ports, flags = _own_ports()
    programs = _stand_in(triton, wheel, folder)
    path = os.pathsep.join((str(programs), triton.all_variables()["PATH"]))
    entrypoint, *arguments = triton.stage.command
    models = [argument.replace("=/", f"={triton.root}/") for argument in arguments]
    only = ["--model-control-mode=explicit", "--load-model=preprocess"]
    command = [str(triton.path("/usr/local/bin") / entrypoint), *models, *flags, *only]
    picture = triton.path("/models/preprocess/1/genderprep/probes/portrait.jpg")
    ask = ["python3", "-c", PREPARE_ONE, f"127.0.0.1:{ports[1]}", str(picture)]
    with triton.running(command, folder / "log", PATH=path) as server:
        _wait(triton, ask, folder / "log", server.poll)
        _check_packages(server.pid, triton.environment)
    print(f"  {' '.join(triton.stage.command)}: preprocess answers")
    _serve(wheel, triton, folder)


def _serve(server: Built, asking: Built, folder: Path) -> str:
    """Run what one image runs until the health check of another is content; returns where it was."""
    ports, flags = _own_ports()
    url = f"grpc://127.0.0.1:{ports[1]}"
    with server.running([*server.stage.command, *flags, f"--status-port={ports[3]}"], folder / "log") as process:
        _wait(asking, asking.stage.health, folder / "log", process.poll, GENDERCLIENT_URL=url)
    print(f"  {' '.join(server.stage.command)}: answers; {' '.join(asking.stage.health)}: 0")
    if process.returncode != 128 + signal.SIGTERM:
        raise ReplayError(f"SIGTERM ended it with {process.returncode}\n{(folder / 'log').read_text()}")
    return url


def _check_packages(server: int, environment: Path) -> None:
    """The stubs have Pillow from this environment and from no other."""
    stubs = psutil.Process(server).children(recursive=True)
    found = {each.path for stub in stubs for each in stub.memory_maps() if "/PIL/_imaging." in each.path}
    if not found or not all(path.startswith(f"{environment}/") for path in found):
        raise ReplayError(f"Pillow should come from {environment}, and comes from {found or 'nowhere'}")


def check_training(training: Built, folder: Path) -> None:
    """It draws users, and the commands that train and publish load."""
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
    """Free ports of loopback, and the flags that move Triton to the first three: what is given last counts."""
    ports = free_ports(4)
    named = zip(("http", "grpc", "metrics"), ports, strict=False)
    return ports, [flag for name, port in named for flag in (f"--{name}-address=127.0.0.1", f"--{name}-port={port}")]


def _wait(built: Built, command: list[str], log: Path, ended: Callable[[], int | None], **variables: str) -> None:
    """Until the command succeeds."""
    deadline = time.monotonic() + READY_S
    while (done := built.run(command, **variables)).returncode:
        if ended() is not None or time.monotonic() > deadline:
            raise ReplayError(f"{command}: {done.stdout}{done.stderr}\n{log.read_text()}")


def _stand_in(triton: Built, wheel: Built, folder: Path) -> Path:
    """A folder with a `tritonserver`: the wheel's, run by the other image's Python, whose packages its stubs see."""
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
    # Prepares what cannot be written later.
    triton.run([str(program), "--help"])
    return programs


def check(python: str) -> None:
    """Build and run all of them.

    Raises:
        ReplayError: a step failed; the message ends with what it wrote.
    """
    # Outside /tmp, which is another one for what is run hardened.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        built = {image: _build(image, python, Path(name)) for image in ("wheel", "triton", "training")}
        check_wheel(built["wheel"], _folder(name, "wheel"))
        check_triton(built["triton"], built["wheel"], _folder(name, "triton"))
        check_training(built["training"], _folder(name, "training"))


def _build(image: str, python: str, folder: Path) -> Built:
    print(f"docker/{image}.Dockerfile", flush=True)
    return build(FILES[image], python, folder / image)


def _folder(name: str, image: str) -> Path:
    """Where a check may write."""
    folder = Path(name) / f"{image}-check"
    folder.mkdir()
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", help="a Python 3.12, if there is none on PATH")
    try:
        check(parser.parse_args().python or find_python())
    except ReplayError as error:
        sys.exit(f"check: {error}")


if __name__ == "__main__":
    main()
