"""Console script `tritonserver`: runs the Triton of the `nvidia-pytriton` wheel.

    tritonserver --model-repository=model_repository

All flags are Triton's own and are passed through. Some get other defaults; for example, Triton listens on loopback.
The process replaces itself with Triton, so signals and exit codes are Triton's. If Triton cannot start (platform,
Python, wheel, model repository, port), the launcher prints one line to stderr and exits with code 2.
"""

import os
import platform
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NoReturn

from server.checksums import MANIFEST
from server.checksums.snapshot import take_snapshot
from server.edge.admin_lock import admin_key, lock_flags
from server.errors import LaunchError
from server.launch.endpoints import triton_endpoints
from server.launch.flags import Flags, with_defaults, with_values
from server.launch.private_files import make_files_private
from server.launch.runtime import Runtime, Wheel, find_wheel, prepare
from server.launch.stub_paths import check_environment_path, check_stub_path

PYTHONS = ((3, 11), (3, 12))
# Every request allocates and frees buffers of its size. By default glibc returns them to the kernel each time, and the
# page faults that follow cost more than the request's own work. These limits keep the buffers of typical avatars and
# still return those of the few with many megapixels. `python -m perf server_settings` measures the gain,
# `reliability.malformed` the memory that stays allocated.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(2**23), "MALLOC_TRIM_THRESHOLD_": str(2**24), "MALLOC_TOP_PAD_": str(2**24)}
# The gallery's products are too small to share. A second thread would wait for the next one in a loop that takes CPU.
ALGEBRA = {"OPENBLAS_NUM_THREADS": "1"}
EXPOSED_WARNING = (
    "warning: tritonserver listens on non-loopback addresses, but Triton 2.51 lacks security fixes: expose it only "
    "through a reverse proxy such as server.edge"
)
SHARED_MEMORY_WARNING = (
    "warning: this kernel allows no seccomp filter, so other users of this machine can read avatars in /dev/shm; run "
    "Triton in a container of its own"
)
REPOSITORY_FLAGS = frozenset({"model-repository", "model-store"})
# Without it, Triton starts another stub of each Python model at every load, only to ask whether its configuration is
# complete.
COMPLETE_FLAG = "--disable-auto-complete-config"
INFORMATION_FLAGS = frozenset({"--help", "--version"})


def main() -> NoReturn:
    """Become tritonserver, or print why this is impossible."""
    try:
        launch(sys.argv[1:])
    except LaunchError as error:
        print(f"tritonserver: {error}", file=sys.stderr)
        sys.exit(2)


def launch(arguments: list[str]) -> NoReturn:
    """Replace this process with tritonserver.

    Raises:
        LaunchError: Triton cannot serve with these arguments on this machine.
    """
    check_platform()
    check_environment_path(sys.prefix)
    wheel = find_wheel()
    runtime = prepare(wheel)
    arguments = with_defaults(arguments, default_flags(wheel, runtime))
    arguments = lock_flags(Flags(arguments), admin_key()) + arguments
    if any(not each.is_loopback for each in triton_endpoints(arguments) if each.service in ("HTTP", "gRPC")):
        print(EXPOSED_WARNING, file=sys.stderr)
    if INFORMATION_FLAGS.isdisjoint(arguments):
        for endpoint in triton_endpoints(arguments):
            endpoint.check_free()
        arguments = with_verified_repositories(complete_flags(Flags(arguments)) + arguments)
    if not make_files_private():
        print(SHARED_MEMORY_WARNING, file=sys.stderr)
    os.execve(wheel.binary, ["tritonserver", *arguments], environment(wheel, runtime, os.environ))


def default_flags(wheel: Wheel, runtime: Runtime) -> dict[str, str]:
    """Return the flags set unless the user sets them. Triton serves metrics on the HTTP address."""
    return {
        "backend-directory": str(runtime.backends),
        "cache-directory": str(wheel.triton / "caches"),
        "http-address": "127.0.0.1",
        "grpc-address": "127.0.0.1",
        "pinned-memory-pool-byte-size": "0",
        "allow-gpu-metrics": "false",
        # The models' configurations prefer one instance, whose caches are warm.
        "rate-limit": "execution_count",
    }


def environment(wheel: Wheel, runtime: Runtime, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of Triton and its Python stubs.

    A stub ignores PYTHONPATH and PYTHONHOME. It finds `python3` on PATH and uses the environment that contains it.
    Triton starts the stub with `bash`, also from PATH.
    """
    return {
        **ALLOCATOR,
        **ALGEBRA,
        **inherited,
        "PATH": _join_paths(Path(sys.executable).parent, inherited.get("PATH", os.defpath)),
        "LD_LIBRARY_PATH": _join_paths(wheel.libraries, runtime.libraries, inherited.get("LD_LIBRARY_PATH")),
    }


def _join_paths(*paths: Path | str | None) -> str:
    return os.pathsep.join(str(path) for path in paths if path)


def check_platform() -> None:
    """Reject platforms and Python versions for which the wheel has no binary or no stub."""
    system, machine = platform.system(), platform.machine()
    if (system, machine) != ("Linux", "x86_64"):
        raise LaunchError(f"expected Linux on x86-64, got {system} on {machine}; use the container instead")
    if sys.version_info[:2] not in PYTHONS:
        raise LaunchError(f"expected Python 3.11 or 3.12, got {platform.python_version()}")


def complete_flags(arguments: Flags) -> list[str]:
    """Return the flag of repositories with complete configurations: published ones, all of which have a manifest."""
    folders = [Path(folder) for flag in REPOSITORY_FLAGS for folder in arguments.all(flag)]
    return [COMPLETE_FLAG] if folders and all((folder / MANIFEST).is_file() for folder in folders) else []


def with_verified_repositories(arguments: list[str]) -> list[str]:
    """Replace each repository that has a manifest by a private copy of it, whose files match the manifest.

    With `--exit-on-error=false`, the copy lacks the models whose files do not match.

    Raises:
        LaunchError: A local repository is missing, cannot be passed to the stubs, or has a model that does not match.
    """
    stops = Flags(arguments).allows("exit-on-error", default=True)
    return with_values(arguments, REPOSITORY_FLAGS, partial(_verified_repository, stops=stops))


def _verified_repository(repository: str, stops: bool) -> str:
    if "://" in repository:  # Triton fetches it
        return repository
    # Python models in a missing folder would wait for their stubs forever.
    if not Path(repository).is_dir():
        raise LaunchError(f"model repository '{repository}' is not a folder; pass --model-repository=<folder>")
    if not (Path(repository) / MANIFEST).is_file():
        check_stub_path("model repository", repository, "move it elsewhere")
        return repository
    copy, errors = take_snapshot(Path(repository))
    if errors and stops:
        raise errors[0]
    for error in errors:
        print(f"error: the model is not served: {error}", file=sys.stderr)
    return str(copy)


if __name__ == "__main__":
    main()
