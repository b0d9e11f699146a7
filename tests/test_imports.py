"""Which room may import which, read from the sources of all packages."""

import ast
import sys
from collections.abc import Container, Iterable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GENDERPREP = "model_repository/preprocess/1/genderprep"
PICTUREGALLERY = "model_repository/gallery/1/picturegallery"
# Import name of each folder or file.
ROOMS = {
    "genderprep": GENDERPREP,
    "counters": "model_repository/preprocess/1/counters.py",
    "request_log": "model_repository/preprocess/1/request_log.py",
    "preprocess": "model_repository/preprocess/1/model.py",
    "picturegallery": PICTUREGALLERY,
    "gallery": "model_repository/gallery/1/model.py",
    "metrics": "model_repository/gallery/1/metrics.py",
    "genderclient": "client/src/genderclient",
    "figures": "figures",
    "server": "server",
    "training": "training",
    "conversion": "conversion",
    "perf": "perf",
    "reliability": "reliability",
    "quickstart": "quickstart",
    "release": "release",
    "tests": "tests",
}
# What each room may import of the others. Nothing imports reliability or quickstart.
ARROWS: dict[str, set[str]] = {
    "genderprep": set(),
    "counters": {"genderprep"},
    "request_log": set(),
    "preprocess": {"genderprep", "counters", "request_log"},
    "picturegallery": set(),
    "gallery": {"picturegallery", "metrics"},
    "metrics": {"picturegallery"},
    "genderclient": set(),
    "figures": set(),
    "server": {"genderclient"},
    "training": {"figures", "genderprep"},
    "conversion": {
        *("figures", "genderprep", "picturegallery", "training"),
        *("server.catalog", "server.checksums", "server.errors"),
    },
    "perf": {"figures", "genderprep", "picturegallery", "genderclient", "server", "training"},
    "reliability": {"figures", "genderprep", "genderclient", "server", "training", "perf"},
    "quickstart": {"figures", "genderprep", "picturegallery", "genderclient", "server", "training"},
    "release": set(),
}
# Folders of training that every task shares.
SHARED_TRAINING = ("data", "synthetic", "layers", "losses", "optimizers", "engine", "evaluation")
# Triton puts the folder of a backend on sys.path.
BACKEND_MODULES = {"ort_batch", "ort_config", "ort_log", "ort_signature"}
# Libraries that the client uses if they are installed.
OPTIONAL_LIBRARIES = {"opentelemetry", "redis"}
# Stand-ins for what Python 3.10 lacks.
COMPAT_LIBRARIES = {"async_timeout", "typing_extensions"}
# Libraries that only the client's command needs.
COMMAND_LIBRARIES = {"pyarrow", "ray", "tqdm", "typer"}
# Everything beyond the standard library that a folder or file may import.
LIBRARIES: dict[str, set[str]] = {
    f"{GENDERPREP}/tensors.py": set(),
    f"{GENDERPREP}/limits.py": set(),
    f"{GENDERPREP}/vocabulary.py": set(),
    f"{GENDERPREP}/errors.py": {"genderprep.tensors"},
    f"{GENDERPREP}/image.py": {"numpy", "PIL", "genderprep"},
    f"{GENDERPREP}/text.py": {"numpy", "regex", "genderprep"},
    f"{GENDERPREP}/digest.py": {"numpy", "PIL", "genderprep"},
    f"{GENDERPREP}/binding.py": {"genderprep.digest"},
    PICTUREGALLERY: {"numpy", "faiss", "picturegallery"},
    "model_repository/gallery/1/metrics.py": {"triton_python_backend_utils", "picturegallery"},
    "model_repository/gallery/1/model.py": {"numpy", "triton_python_backend_utils", "picturegallery", "metrics"},
    "figures": {"cycler", "matplotlib", "numpy", "PIL", "figures"},
    "server/supervisor": {"PIL", "genderclient", "google.protobuf", "server", "tritonclient"},
    "model_repository/preprocess/1/counters.py": {"triton_python_backend_utils", "genderprep"},
    "model_repository/preprocess/1/request_log.py": set(),
    "model_repository/preprocess/1/model.py": {
        *("numpy", "triton_python_backend_utils", "genderprep", "counters", "request_log")
    },
    "client/src/genderclient": {
        *("genderclient", "numpy", "PIL", "grpc", "google.protobuf", "aiohttp"),
        *OPTIONAL_LIBRARIES,
        *COMPAT_LIBRARIES,
        *COMMAND_LIBRARIES,
    },
    "server/backends": {"numpy", "onnxruntime", "triton_python_backend_utils", *BACKEND_MODULES},
    "release": {"release"},
    "server/rollout": {"google.protobuf", "onnxruntime", "tritonclient", "server"},
    "training/layers": {"keras", "numpy", "regex", "genderprep", "training.arrays", "training.layers"},
    "training/losses": {"keras", "training.arrays"},
    "training/optimizers": {"keras", "training.optimizers"},
    "training/evaluation/metrics.py": {
        *("numpy", "scipy", "sklearn", "genderprep.tensors", "training.arrays", "training.evaluation.intervals")
    },
}


def sources(path: str) -> list[Path]:
    folder = ROOT / path
    return [folder] if folder.suffix == ".py" else sorted(folder.rglob("*.py"))


def module_of(file: Path) -> str:
    """The dotted import name of a file."""
    name, path = next((name, path) for name, path in ROOMS.items() if file.is_relative_to(ROOT / path))
    parts = file.with_suffix("").relative_to((ROOT / path).with_suffix("")).parts
    return ".".join([name, *parts]).removesuffix(".__init__")


@cache
def imports(file: Path) -> frozenset[str]:
    """The full names of everything that a file imports, at any depth; `from a import b` gives `a.b`."""
    return frozenset(_imports(file))


def _imports(file: Path) -> Iterator[str]:
    package = module_of(file).split(".")
    if file.name != "__init__.py":
        package.pop()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            start = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            yield from (f"{start}.{alias.name}" for alias in node.names)


def is_below(name: str, prefixes: Iterable[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def importers(name: str) -> set[str]:
    """The files, tests excluded, that import `name`."""
    return {
        str(file.relative_to(ROOT))
        for room in ARROWS
        for file in sources(ROOMS[room])
        if any(is_below(imported, [name]) for imported in imports(file))
    }


@pytest.mark.parametrize("room", ARROWS)
def test_rooms_import_along_the_arrows(room: str) -> None:
    found = {name for file in sources(ROOMS[room]) for name in imports(file) if is_below(name, ROOMS)}
    assert {name for name in found if not is_below(name, {room, *ARROWS[room]})} == set()
    assert all(any(is_below(name, [used]) for name in found) for used in ARROWS[room])


@pytest.mark.parametrize("folder", SHARED_TRAINING)
def test_shared_training_folders_know_no_task(folder: str) -> None:
    found = {name for file in sources(f"training/{folder}") for name in imports(file)}
    tasks = ("training.gender", "training.ranking", "training.curation")
    assert {name for name in found if is_below(name, tasks)} == set()


def test_no_import_cycles() -> None:
    modules = {module_of(file): file for room in ARROWS for file in sources(ROOMS[room])}
    graph = {
        module: {known for name in imports(file) if (known := module_in(name, modules)) and known != module}
        for module, file in modules.items()
    }
    # Raises CycleError, which names the cycle.
    assert len(list(TopologicalSorter(graph).static_order())) == len(modules)


def module_in(name: str, modules: Container[str]) -> str | None:
    """The module that an imported name belongs to; a package's `__init__` only if the name is its own."""
    parent = name.rpartition(".")[0]
    return next((module for module in (name, parent) if module in modules), None)


@pytest.mark.parametrize("path", LIBRARIES)
def test_libraries(path: str) -> None:
    files = sources(path)
    found = {name for file in files for name in imports(file)}
    allowed = {*sys.stdlib_module_names, *LIBRARIES[path]}
    assert files
    assert {name for name in found if not is_below(name, allowed)} == set()


def test_only_what_we_are_compared_with_and_grad_cam_know_tensorflow() -> None:
    assert importers("tensorflow") == {
        "perf/load/baselines.py",
        "training/evaluation/gradcam.py",
    }


@pytest.mark.parametrize("library", sorted(COMMAND_LIBRARIES))
def test_only_the_command_needs_more_than_the_sdk(library: str) -> None:
    found = {file for file in importers(library) if file.startswith("client/")}
    assert found
    assert all(file.split("/")[3] in ("_cli", "tables", "ray") for file in found)


def test_cleanlab_runs_apart() -> None:
    """It is under the AGPL."""
    assert importers("cleanlab") == {"training/curation/confident_learning.py"}
    assert importers("training.curation.confident_learning") == set()


def test_only_engines_and_what_we_are_compared_with_know_ray() -> None:
    assert importers("ray") == {
        "client/src/genderclient/ray/job.py",
        "perf/peers/apps/ray_app.py",
        "training/ranking/ams/arms.py",
        "training/ranking/ams/ray_peer.py",
    }


def test_imports_are_seen_wherever_they_stand() -> None:
    assert "genderprep.image.prepare_image" in imports(ROOT / GENDERPREP / "digest.py")
    assert "genderprep.tensors.IMAGE" in imports(ROOT / ROOMS["preprocess"])
    assert module_of(ROOT / "training/layers/__init__.py") == "training.layers"
