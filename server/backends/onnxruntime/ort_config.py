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
THREADS = "intra_op_thread_count"


class ConfigError(ValueError):
    """The model cannot be loaded with this configuration."""


def model_path(config: ModelConfig, version_folder: Path) -> Path:
    """Return the version's ONNX file, or raise ConfigError if it does not exist."""
    name = config.get("default_model_filename") or "model.onnx"
    path = version_folder / name
    if not path.is_file():
        raise ConfigError(f"unable to find '{name}' for model '{config['name']}', version {version_folder.name}")
    return path


def session_options(config: ModelConfig) -> ort.SessionOptions:
    """Return the options for graph optimization and threads, or raise ConfigError if a parameter is invalid."""
    options = ort.SessionOptions()
    graph = config.get("optimization", {}).get("graph", {})
    options.graph_optimization_level = LEVELS.get(graph.get("level", 0), ort.GraphOptimizationLevel.ORT_ENABLE_ALL)
    value = config.get("parameters", {}).get(THREADS, {}).get("string_value", "")
    try:
        # 0 means ONNX Runtime's default, one thread per core.
        options.intra_op_num_threads = max(0, int(value or 0))
    except ValueError:
        raise ConfigError(f"failed to convert '{value}' of parameter '{THREADS}' to integral number") from None
    return options
