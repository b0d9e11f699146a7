"""Translates a model configuration into ONNX Runtime's session options."""

from pathlib import Path
from typing import Any

import onnxruntime as ort

ModelConfig = dict[str, Any]  # as Triton passes it, in JSON

# Triton's `optimization.graph.level`; its default, 0, means all optimizations.
LEVELS = {
    -1: ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    1: ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    2: ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
}
MODES = {0: ort.ExecutionMode.ORT_SEQUENTIAL, 1: ort.ExecutionMode.ORT_PARALLEL}


class ConfigError(ValueError):
    """The model cannot be loaded with this configuration."""


def model_path(config: ModelConfig, version_folder: Path) -> Path:
    """Return the version's ONNX file. If the configured name is a folder's, it is `model.onnx` inside.

    Raises:
        ConfigError: The file does not exist.
    """
    name = config.get("default_model_filename") or "model.onnx"
    path = version_folder / name
    if path.is_dir():
        path /= "model.onnx"
    if not path.is_file():
        raise ConfigError(f"unable to find '{name}' for model '{config['name']}', version {version_folder.name}")
    return path


def session_options(config: ModelConfig) -> ort.SessionOptions:
    """Return the options for graph optimization, execution mode and threads.

    Raises:
        ConfigError: A parameter has an invalid value.
    """
    options = ort.SessionOptions()
    graph = config.get("optimization", {}).get("graph", {})
    options.graph_optimization_level = LEVELS.get(graph.get("level", 0), ort.GraphOptimizationLevel.ORT_ENABLE_ALL)
    mode = _integer(config, "execution_mode")
    if mode not in MODES:
        raise ConfigError(
            f"Invalid configuration value provided. Expected values for execution_mode are 0 or 1 but got {mode}."
        )
    options.execution_mode = MODES[mode]
    # 0 means ONNX Runtime's default, one thread per core.
    options.intra_op_num_threads = max(0, _integer(config, "intra_op_thread_count"))
    options.inter_op_num_threads = max(0, _integer(config, "inter_op_thread_count"))
    return options


def _integer(config: ModelConfig, key: str) -> int:
    """Return an integer parameter, 0 if it is not set."""
    value = config.get("parameters", {}).get(key, {}).get("string_value", "")
    try:
        return int(value or 0)
    except ValueError:
        raise ConfigError(f"failed to convert '{value}' of parameter '{key}' to integral number") from None
