"""What the wheel's Triton needs around it: its libraries, a stub for this Python, and the backends."""

import ctypes
import hashlib
import importlib.util
import os
import shutil
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

from server.errors import LaunchError

OUR_BACKENDS = Path(__file__).resolve().parents[1] / "backends"
PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class Wheel:
    """The installed `nvidia-pytriton` wheel."""

    triton: Path
    libraries: Path

    @property
    def binary(self) -> Path:
        return self.triton / "bin" / "tritonserver"

    @property
    def caches(self) -> Path:
        return self.triton / "caches"

    @property
    def python_backend(self) -> Path:
        return self.triton / "backends" / "python"

    @property
    def stub(self) -> Path:
        return self.triton / "python_backend_stubs" / PYTHON_VERSION / "triton_python_backend_stub"


@dataclass(frozen=True)
class Runtime:
    """The folder prepared for one environment; it has no `libraries` where the system's libpython serves."""

    folder: Path

    @property
    def backends(self) -> Path:
        return self.folder / "backends"

    @property
    def libraries(self) -> Path:
        return self.folder / "lib"


def find_wheel() -> Wheel:
    """Locate Triton without importing `pytriton`: nothing but its files is needed."""
    spec = importlib.util.find_spec("pytriton")
    for package in map(Path, (spec and spec.submodule_search_locations) or []):
        wheel = Wheel(package / "tritonserver", package.parent / "nvidia_pytriton.libs")
        if wheel.binary.is_file():
            return wheel
    raise LaunchError("no Triton in this environment; install it with: pip install -r requirements/serve.txt")


def prepare(wheel: Wheel) -> Runtime:
    """Build the environment's runtime folder, or find it built; safe when servers start side by side."""
    links = _links(wheel)
    backend = wheel.python_backend / "libtriton_python.so"
    key = hashlib.sha256(repr((sorted(links.items()), backend, backend.stat().st_mtime_ns)).encode()).hexdigest()[:16]
    try:
        return _publish(_cache_home() / "gender-triton" / key, links, backend)
    except (OSError, RuntimeError):  # read-only, or a user without a home
        return _publish(Path(tempfile.mkdtemp(prefix="tritonserver-")) / key, links, backend)


def _links(wheel: Wheel) -> dict[str, Path]:
    """The runtime folder: path inside it → what it links to."""
    links = {
        "backends/python/triton_python_backend_utils.py": wheel.python_backend / "triton_python_backend_utils.py",
        "backends/python/triton_python_backend_stub": wheel.stub,
        "backends/onnxruntime": OUR_BACKENDS / "onnxruntime",
    }
    libpython = find_libpython()
    return links if libpython is None else links | {f"lib/{libpython.name}": libpython}


def _publish(folder: Path, links: dict[str, Path], backend: Path) -> Runtime:
    """Fill a folder beside the wanted one and rename it there: others see all of it or nothing."""
    if folder.is_dir():
        return Runtime(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        for name, target in links.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            (draft / name).symlink_to(target)
        # A copy: Triton refuses a backend library whose real path lies outside the backend directory.
        shutil.copy2(backend, draft / "backends" / "python" / backend.name)
        draft.rename(folder)
    except OSError:
        shutil.rmtree(draft)
        if not folder.is_dir():
            raise
    return Runtime(folder)


def _cache_home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())


def find_libpython() -> Path | None:
    """This Python's own shared library for the stub, or None where the system's loader finds one.

    The own one comes first: with another patch release, extension modules of the standard library may not load.

    Raises:
        LaunchError: there is none at all.
    """
    name = f"libpython{PYTHON_VERSION}.so.1.0"
    folders = [Path(sys.base_prefix) / "lib", Path(sysconfig.get_config_var("LIBDIR") or "")]
    for candidate in (folder / name for folder in folders):
        if candidate.is_file():
            return candidate
    try:
        ctypes.CDLL(name)
    except OSError:
        raise LaunchError(
            f"{name} not found; install it (Debian, Ubuntu: apt install libpython{PYTHON_VERSION}) "
            "or use a Python built with --enable-shared"
        ) from None
    return None
