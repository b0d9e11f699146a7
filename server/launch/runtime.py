"""Prepares what the wheel's Triton needs to run: libraries, the stub of this Python version, and backends."""

import ctypes
import hashlib
import importlib.util
import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from server.errors import LaunchError
from server.launch.stub_paths import check_stub_path

OUR_BACKENDS = Path(__file__).resolve().parents[1] / "backends"
PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class Wheel:
    """The installed `nvidia-pytriton` wheel: the folder of Triton's files, and that of the libraries it links to."""

    triton: Path
    libraries: Path

    @property
    def binary(self) -> Path:
        return self.triton / "bin" / "tritonserver"


@dataclass(frozen=True)
class Runtime:
    """The folder prepared for this environment. It has no `libraries` if the system's libpython is used."""

    folder: Path

    @property
    def backends(self) -> Path:
        return self.folder / "backends"

    @property
    def libraries(self) -> Path:
        return self.folder / "lib"


def find_wheel() -> Wheel:
    """Locate the wheel without importing `pytriton`: only its files are needed."""
    spec = importlib.util.find_spec("pytriton")
    for package in map(Path, (spec and spec.submodule_search_locations) or []):
        wheel = Wheel(package / "tritonserver", package.parent / "nvidia_pytriton.libs")
        if wheel.binary.is_file():
            return wheel
    raise LaunchError("Triton is not installed in this environment; run: pip install -r requirements/serve.txt")


def prepare(wheel: Wheel) -> Runtime:
    """Create the runtime folder in the user's cache, or reuse it. Servers may start concurrently.

    Raises:
        LaunchError: The stubs cannot use the path of the cache.
    """
    links = _links(wheel)
    backend = wheel.triton / "backends" / "python" / "libtriton_python.so"
    key = hashlib.sha256(repr((sorted(links.items()), backend, backend.stat().st_mtime_ns)).encode()).hexdigest()[:16]
    try:
        cache = cache_home()
        check_stub_path("the cache", str(cache), "set XDG_CACHE_HOME=<another folder>")
        return _create(cache / "gender-triton" / key, links, backend)
    except (OSError, RuntimeError):  # The cache is read-only, or the user has no home folder.
        check_stub_path("the temporary folder", tempfile.gettempdir(), "set TMPDIR=<another folder>")
        return _create(Path(tempfile.mkdtemp(prefix="tritonserver-")) / key, links, backend)


def _links(wheel: Wheel) -> dict[str, Path]:
    """Return the symbolic links of the runtime folder: path inside it → target."""
    utils, stub = "triton_python_backend_utils.py", "triton_python_backend_stub"
    links = {
        f"backends/python/{utils}": wheel.triton / "backends" / "python" / utils,
        f"backends/python/{stub}": wheel.triton / "python_backend_stubs" / PYTHON_VERSION / stub,
        "backends/onnxruntime": OUR_BACKENDS / "onnxruntime",
    }
    libpython = find_libpython()
    return links if libpython is None else links | {f"lib/{libpython.name}": libpython}


def _create(folder: Path, links: dict[str, Path], backend: Path) -> Runtime:
    """Fill a temporary folder and rename it, so that other processes see a complete folder or none."""
    if folder.is_dir():
        return Runtime(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        for name, target in links.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            (draft / name).symlink_to(target)
        # A copy: Triton rejects a backend library whose resolved path lies outside the backend directory.
        shutil.copy2(backend, draft / "backends" / "python" / backend.name)
        draft.rename(folder)
    except OSError:
        shutil.rmtree(draft)
        if not folder.is_dir():
            raise
    return Runtime(folder)


def cache_home(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the user's caches.

    Raises:
        RuntimeError: The user has no home folder.
    """
    return Path(environment.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())


def find_libpython() -> Path | None:
    """Return the shared library of this Python, or None if only the system's loader finds one.

    This Python's own library is preferred: with that of another patch release, extension modules of the standard
    library may not load.
    """
    name = f"libpython{PYTHON_VERSION}.so.1.0"
    for folder in (Path(sys.base_prefix) / "lib", Path(sysconfig.get_config_var("LIBDIR") or "")):
        if (folder / name).is_file():
            return folder / name
    try:
        ctypes.CDLL(name)
    except OSError:
        raise LaunchError(
            f"{name} not found; install it (Debian, Ubuntu: apt install libpython{PYTHON_VERSION}) "
            "or use a Python built with --enable-shared"
        ) from None
    return None
