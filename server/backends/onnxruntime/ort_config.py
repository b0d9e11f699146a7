"""The documented keys of a model configuration, as ONNX Runtime's options."""

from pathlib import Path
from typing import Any

import onnxruntime as ort

Config = dict[str, Any]  # a model configuration as Triton's JSON gives it

LEVELS = {
    -1: ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    1: ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    2: ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
}
MODES = {0: ort.ExecutionMode.ORT_SEQUENTIAL, 1: ort.ExecutionMode.ORT_PARALLEL}
BOOLEANS = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
SESSION_ENTRIES = ("session.use_device_allocator_for_initializers", "session.intra_op.allow_spinning")
RUN_ENTRIES = ("memory.enable_memory_arena_shrinkage",)
CPU_PROVIDER = "CPUExecutionProvider"
CPU_ACCELERATORS = {"openvino": "OpenVINOExecutionProvider"}


class ConfigError(ValueError):
    """The model cannot be loaded with this configuration."""


def model_path(config: Config, version_folder: Path) -> Path:
    """The version's ONNX file; where the name is a folder's, `model.onnx` inside it.

    Raises:
        ConfigError: there is no such file.
    """
    name = config.get("default_model_filename") or "model.onnx"
    path = version_folder / name
    if path.is_dir():
        path /= "model.onnx"
    if not path.is_file():
        raise ConfigError(f"unable to find '{name}' for model '{config['name']}', version {version_folder.name}")
    return path


def session_options(config: Config) -> ort.SessionOptions:
    """What holds for the session: optimisation, threads, memory, custom operators."""
    options = ort.SessionOptions()
    graph = config.get("optimization", {}).get("graph", {})
    options.graph_optimization_level = LEVELS.get(graph.get("level", 0), ort.GraphOptimizationLevel.ORT_ENABLE_ALL)
    options.execution_mode = _execution_mode(config)
    if (threads := _integer(config, "intra_op_thread_count")) > 0:
        options.intra_op_num_threads = threads
    if (threads := _integer(config, "inter_op_thread_count")) > 0:
        options.inter_op_num_threads = threads
    options.enable_cpu_mem_arena = _boolean(config, "enable_mem_arena", options.enable_cpu_mem_arena)
    options.enable_mem_pattern = _boolean(config, "enable_mem_pattern", options.enable_mem_pattern)
    for key, value in _entries(config, SESSION_ENTRIES):
        options.add_session_config_entry(key, value)
    for library in config.get("model_operations", {}).get("op_library_filename", []):
        _register(options, library)
    return options


def run_options(config: Config) -> ort.RunOptions:
    """What holds for each run."""
    options = ort.RunOptions()
    for key, value in _entries(config, RUN_ENTRIES):
        options.add_run_config_entry(key, value)
    return options


def providers(config: Config) -> list[str]:
    """Execution providers, best first. Accelerators for GPUs are accepted and ignored: there is none here."""
    accelerators = config.get("optimization", {}).get("execution_accelerators", {})
    names = [accelerator["name"] for accelerator in accelerators.get("cpu_execution_accelerator", [])]
    return [*map(_provider, names), CPU_PROVIDER]


def _provider(accelerator: str) -> str:
    """ONNX Runtime would fall back in silence where the accelerator is not part of its build: refuse instead."""
    provider = CPU_ACCELERATORS.get(accelerator)
    if provider is None:
        raise ConfigError(f"unknown Execution Accelerator '{accelerator}' is requested")
    if provider not in ort.get_available_providers():
        raise ConfigError(f"Execution Accelerator '{accelerator}' is not part of the installed onnxruntime package")
    return provider


def _register(options: ort.SessionOptions, library: str) -> None:
    try:
        options.register_custom_ops_library(library)
    except Exception as error:  # ONNX Runtime's errors share no narrower base
        raise ConfigError(f"unable to load the custom-op library '{Path(library).name}'") from error


def _execution_mode(config: Config) -> ort.ExecutionMode:
    mode = _integer(config, "execution_mode")
    if mode not in MODES:
        raise ConfigError(
            f"Invalid configuration value provided. Expected values for execution_mode are 0 or 1 but got {mode}."
        )
    return MODES[mode]


def _parameter(config: Config, key: str) -> str | None:
    parameter = config.get("parameters", {}).get(key)
    return None if parameter is None else str(parameter.get("string_value", ""))


def _entries(config: Config, keys: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(key, value) for key in keys if (value := _parameter(config, key)) is not None]


def _integer(config: Config, key: str) -> int:
    """A whole number, 0 where the configuration has none."""
    value = _parameter(config, key)
    try:
        return int(value or 0)
    except ValueError:
        raise ConfigError(f"failed to convert '{value}' of parameter '{key}' to integral number") from None


def _boolean(config: Config, key: str, default: bool) -> bool:
    value = _parameter(config, key)
    if value is None:
        return default
    if value.lower() not in BOOLEANS:
        raise ConfigError(f"failed to convert '{value}' of parameter '{key}' to boolean")
    return BOOLEANS[value.lower()]
