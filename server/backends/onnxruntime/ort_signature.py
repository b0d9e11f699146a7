"""The inputs and outputs of an ONNX file, and whether a model configuration agrees with them.

Error messages are worded as those of the C++ backend.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import onnxruntime as ort
from ort_config import ConfigError, ModelConfig

DATA_TYPES = {
    "tensor(bool)": "TYPE_BOOL",
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(uint16)": "TYPE_UINT16",
    "tensor(uint32)": "TYPE_UINT32",
    "tensor(uint64)": "TYPE_UINT64",
    "tensor(int8)": "TYPE_INT8",
    "tensor(int16)": "TYPE_INT16",
    "tensor(int32)": "TYPE_INT32",
    "tensor(int64)": "TYPE_INT64",
    "tensor(float16)": "TYPE_FP16",
    "tensor(float)": "TYPE_FP32",
    "tensor(double)": "TYPE_FP64",
    "tensor(string)": "TYPE_STRING",
}
VARIABLE = -1
AUTO_MAX_BATCH_SIZE = 4  # as Triton's C++ backends choose


@dataclass(frozen=True)
class TensorSpec:
    """A tensor of the ONNX file. `dims` includes the batch dimension; -1 is variable, () a scalar."""

    name: str
    data_type: str
    dims: tuple[int, ...]

    @property
    def batches(self) -> bool:
        return self.dims[:1] == (VARIABLE,)

    def config_entry(self, batching: bool) -> dict[str, Any]:
        """Return the tensor's entry in a model configuration."""
        dims = list(self.dims[1:] if batching else self.dims)
        entry = {"name": self.name, "data_type": self.data_type, "dims": dims or [1]}
        return entry | ({"reshape": {"shape": []}} if batching and not dims else {})


@dataclass(frozen=True)
class Signature:
    """The inputs, optional inputs (initializers that a request may override) and outputs of an ONNX file."""

    inputs: dict[str, TensorSpec]
    optional: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]

    @classmethod
    def of(cls, session: ort.InferenceSession) -> "Signature":
        return cls(
            _specs(session.get_inputs()),
            _specs(session.get_overridable_initializers()),
            _specs(session.get_outputs()),
        )

    @property
    def batches(self) -> bool:
        """Whether the first dimension of all inputs and outputs is variable."""
        return all(spec.batches for spec in [*self.inputs.values(), *self.outputs.values()])


def _specs(nodes: Iterable[ort.NodeArg]) -> dict[str, TensorSpec]:
    return {node.name: _spec(node) for node in nodes}


def _spec(node: ort.NodeArg) -> TensorSpec:
    if node.type not in DATA_TYPES:
        raise ConfigError(f"unsupported ONNX type '{node.type}' for I/O '{node.name}'")
    dims = tuple(size if isinstance(size, int) else VARIABLE for size in node.shape)
    return TensorSpec(node.name, DATA_TYPES[node.type], dims)


def check(config: ModelConfig, signature: Signature) -> None:
    """Compare a complete model configuration with the ONNX file.

    Raises:
        ConfigError: Their tensors differ, or the configuration uses a feature that this backend lacks.
    """
    _check_features(config)
    expected = sum(not entry.get("optional") for entry in config["input"])
    if expected != len(signature.inputs):
        raise _error(config, f"configuration expects {expected} inputs, model provides {len(signature.inputs)}")
    for entry in config["input"]:
        if entry.get("optional") and config["max_batch_size"] > 0:
            name = entry["name"]
            raise _error(config, f"optional input '{name}' is not supported for models that support batching")
        _check_tensor(config, entry, signature.inputs | signature.optional, "input")
    for entry in config["output"]:
        _check_tensor(config, entry, signature.outputs, "output")


def _check_features(config: ModelConfig) -> None:
    accelerators = config.get("optimization", {}).get("execution_accelerators", {})
    used = {
        "batch_input": config.get("batch_input"),
        "batch_output": config.get("batch_output"),
        "allow_ragged_batch": any(entry.get("allow_ragged_batch") for entry in config["input"]),
        "sequence_batching": config.get("sequence_batching"),
        "cpu_execution_accelerator": accelerators.get("cpu_execution_accelerator"),
        "model_operations": config.get("model_operations", {}).get("op_library_filename"),
    }
    if features := [name for name, value in used.items() if value]:
        raise _error(config, f"{', '.join(features)} not supported by the Python-based onnxruntime backend")


def _check_tensor(config: ModelConfig, entry: ModelConfig, known: dict[str, TensorSpec], kind: str) -> None:
    spec = known.get(entry["name"])
    if spec is None:
        raise ConfigError(f"unexpected inference {kind} '{entry['name']}', allowed {kind}s are: {', '.join(known)}")
    if entry["data_type"] != spec.data_type:
        raise _error(
            config,
            f"configuration expects datatype {entry['data_type']} for {kind} '{spec.name}', "
            f"model provides {spec.data_type}",
        )
    dims = entry["reshape"].get("shape", []) if "reshape" in entry else entry["dims"]
    if spec.dims:
        _check_dims(config, spec, list(map(int, dims)), exact=kind == "output")
    elif any(int(size) != 1 for size in dims):
        raise _error(config, f"scalar tensor '{spec.name}' needs dims [1], configuration has {dims}")


def _check_dims(config: ModelConfig, spec: TensorSpec, dims: list[int], exact: bool) -> None:
    batching = config["max_batch_size"] > 0
    if batching and not spec.batches:
        raise _error(
            config,
            f"tensor '{spec.name}': for the model to support batching the shape should have at least 1 dimension, "
            f"and the first must be -1; but shape expected by the model is {list(spec.dims)}",
        )
    if not _fits([VARIABLE, *dims] if batching else dims, spec.dims, exact):
        expected = list(spec.dims[1:] if batching else spec.dims)
        raise _error(
            config,
            f"tensor '{spec.name}': the model expects {len(expected)} dimensions (shape {expected}) "
            f"but the model configuration specifies {len(dims)} dimensions (shape {dims})",
        )


def _fits(configured: Sequence[int], model: Sequence[int], exact: bool) -> bool:
    """Whether dims agree. Unless `exact`, a variable dimension of the model accepts a fixed one."""
    return len(configured) == len(model) and all(
        ours == theirs or (theirs == VARIABLE and not exact) for ours, theirs in zip(configured, model, strict=True)
    )


def _error(config: ModelConfig, reason: str) -> ConfigError:
    return ConfigError(f"unable to load model '{config['name']}', {reason}")


def auto_batch_size(config: ModelConfig, signature: Signature) -> int:
    """Return the `max_batch_size` for a configuration that leaves inputs or outputs to the ONNX file.

    Raises:
        ConfigError: The configuration requests batching, which the file does not support.
    """
    configured = int(config["max_batch_size"])
    if signature.batches:
        return configured or AUTO_MAX_BATCH_SIZE
    if configured:
        raise ConfigError(
            f"autofill failed for model '{config['name']}': model does not support batching while "
            "non-zero max_batch_size is specified"
        )
    return 0
