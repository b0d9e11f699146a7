"""Console script `tritonserver`: the Triton of the `nvidia-pytriton` wheel, made to work as typed.

    tritonserver --model-repository=model_repository

Every flag is Triton's own and is passed through; a few get other defaults, loopback addresses first among them.
The process becomes Triton, so signals and exit codes are Triton's own. What would go wrong before that
(platform, Python, wheel, folder, port) ends in one line on stderr and exit code 2.
"""

import errno
import os
import platform
import re
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from server.edge.admin_lock import locks
from server.errors import LaunchError
from server.launch.checksums import check_files
from server.launch.flags import Endpoint, Flags, endpoints, with_defaults
from server.launch.runtime import Runtime, Wheel, find_wheel, prepare

PYTHONS = ((3, 11), (3, 12))
# Every request takes and gives back some buffers of its size. By itself glibc returns them to the kernel each time, and
# page faults then cost more than the work. It is to keep what usual avatars need, and give back what the few of many
# megapixels do. `perf.experiments.server_settings` measures what this brings, `reliability.malformed` what remains in memory.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(2**23), "MALLOC_TRIM_THRESHOLD_": str(2**24), "MALLOC_TOP_PAD_": str(2**24)}
# Triton starts its Python stubs by a line of bash, and quotes nothing in it.
_READ_BY_SHELLS = re.compile(r"[\s\"'$&;()<>|*?`\\]")
OPEN_TO_OTHERS = (
    "warning: tritonserver listens beyond this machine, but Triton 2.51 predates security fixes: let only a front such "
    "as server.edge.reverse_proxy reach it; model control, shared memory, logging and tracing are locked (TRITON_ADMIN_KEY)"
)
DESCRIBES_ITSELF = frozenset({"--help", "--version"})


def main() -> NoReturn:
    """Become tritonserver, or say in one line why not."""
    try:
        launch(sys.argv[1:])
    except LaunchError as error:
        print(f"tritonserver: {error}", file=sys.stderr)
        sys.exit(2)


def launch(arguments: list[str]) -> NoReturn:
    """Replace this process by tritonserver with these arguments.

    Raises:
        LaunchError: it could not serve.
    """
    check_platform()
    wheel = find_wheel()
    runtime = prepare(wheel)
    arguments = with_defaults(arguments, defaults(wheel, runtime))
    if keys := locks(endpoints(arguments), os.environ):
        print(OPEN_TO_OTHERS, file=sys.stderr)
        arguments = with_defaults(arguments, keys)
    if DESCRIBES_ITSELF.isdisjoint(arguments):
        check_repositories(arguments)
        for endpoint in endpoints(arguments):
            check_free(endpoint)
    os.execve(wheel.binary, ["tritonserver", *arguments], environment(wheel, runtime, os.environ))


def defaults(wheel: Wheel, runtime: Runtime) -> dict[str, str]:
    """What we choose where the user says nothing. Metrics follow the HTTP address."""
    return {
        "backend-directory": str(runtime.backends),
        "cache-directory": str(wheel.caches),
        "http-address": "127.0.0.1",
        "grpc-address": "127.0.0.1",
        "pinned-memory-pool-byte-size": "0",
        "allow-gpu-metrics": "false",
    }


def environment(wheel: Wheel, runtime: Runtime, inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of Triton and its Python stubs.

    A stub ignores PYTHONPATH and PYTHONHOME: it looks for `python3` on PATH and takes the environment it lies in.
    Triton starts it with `bash`, from PATH too.
    """
    return {
        **ALLOCATOR,
        **inherited,
        "PATH": _paths(Path(sys.executable).parent, inherited.get("PATH", os.defpath)),
        "LD_LIBRARY_PATH": _paths(wheel.libraries, runtime.libraries, inherited.get("LD_LIBRARY_PATH")),
    }


def _paths(*paths: Path | str | None) -> str:
    return os.pathsep.join(str(path) for path in paths if path)


def check_platform() -> None:
    """Refuse what the wheel has no binary or no stub for."""
    system, machine = platform.system(), platform.machine()
    if (system, machine) != ("Linux", "x86_64"):
        raise LaunchError(f"needs Linux on x86-64, this is {system} on {machine}; use the container instead")
    if sys.version_info[:2] not in PYTHONS:
        raise LaunchError(f"needs Python 3.11 or 3.12, this is {platform.python_version()}")


def check_repositories(arguments: list[str]) -> None:
    """Refuse a model repository that is no folder, where Python models would wait for ever for their stubs, or whose
    model files are not those that were published.

    `s3://` and the like are left to Triton.
    """
    flags = Flags(arguments)
    for repository in flags.all("model-repository") + flags.all("model-store"):
        if "://" in repository:
            continue
        if not Path(repository).is_dir():
            raise LaunchError(f"model repository '{repository}' is not a folder; pass --model-repository=<folder>")
        if _READ_BY_SHELLS.search(repository):
            raise LaunchError(f"model repository '{repository}' has a space or a quote in its path; move it elsewhere")
        check_files(Path(repository))


def check_free(endpoint: Endpoint) -> None:
    """Refuse a busy port now: Triton would find it out only after loading every model."""
    family = socket.AF_INET6 if ":" in endpoint.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As Triton does, so that connections lingering from a server just stopped do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((endpoint.address, endpoint.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise LaunchError(
                    f"{endpoint.service} port {endpoint.port} on {endpoint.address} is in use; "
                    f"stop what listens there or pass {endpoint.flag}=<free port>"
                ) from None


if __name__ == "__main__":
    main()
