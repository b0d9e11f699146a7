"""What an ONNX file takes and gives, and whether a model configuration says the same."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import onnxruntime as ort
from ort_config import Config, ConfigError

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
AUTO_MAX_BATCH_SIZE = 4  # Triton's own default where a model can batch and its configuration does not say how far


@dataclass(frozen=True)
class TensorSpec:
    """A tensor of the ONNX file; `dims` include the batch, -1 is variable, () a scalar."""

    name: str
    data_type: str
    dims: tuple[int, ...]

    @property
    def batches(self) -> bool:
        return self.dims[:1] == (VARIABLE,)

    def entry(self, batching: bool) -> dict[str, Any]:
        """The tensor as a model configuration names it, where the batch is Triton's."""
        dims = list(self.dims[1:] if batching else self.dims)
        entry = {"name": self.name, "data_type": self.data_type, "dims": dims or [1]}
        return entry | ({"reshape": {"shape": []}} if batching and not dims else {})


@dataclass(frozen=True)
class Signature:
    """The inputs, the optional inputs (initializers that a request may override) and the outputs of an ONNX file."""

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
        """Whether the model can batch: every first dimension is variable."""
        return all(spec.batches for spec in [*self.inputs.values(), *self.outputs.values()])


def _specs(nodes: Iterable[ort.NodeArg]) -> dict[str, TensorSpec]:
    return {node.name: _spec(node) for node in nodes}


def _spec(node: ort.NodeArg) -> TensorSpec:
    if node.type not in DATA_TYPES:
        raise ConfigError(f"unsupported ONNX type '{node.type}' for I/O '{node.name}'")
    dims = tuple(size if isinstance(size, int) else VARIABLE for size in node.shape)
    return TensorSpec(node.name, DATA_TYPES[node.type], dims)


def check(config: Config, signature: Signature) -> None:
    """Compare a complete model configuration with the ONNX file.

    Raises:
        ConfigError: they differ in names, number, types or dims, or the configuration asks for what a Python-based
            backend is not given (ragged batches, batch inputs and outputs, implicit state).
    """
    _check_features(config)
    _check_input_count(config, signature)
    for entry in config["input"]:
        _check_optional(config, entry)
        _check_tensor(config, entry, signature.inputs | signature.optional, "input")
    for entry in config["output"]:
        _check_tensor(config, entry, signature.outputs, "output")


def _check_features(config: Config) -> None:
    used = {
        "batch_input": config.get("batch_input"),
        "batch_output": config.get("batch_output"),
        "allow_ragged_batch": any(entry.get("allow_ragged_batch") for entry in config["input"]),
        "sequence_batching.state": config.get("sequence_batching", {}).get("state"),
    }
    if features := [name for name, value in used.items() if value]:
        raise ConfigError(
            f"{_unable(config)}, {', '.join(features)} not supported by the Python-based onnxruntime backend"
        )


def _check_input_count(config: Config, signature: Signature) -> None:
    controls = config.get("sequence_batching", {}).get("control_input", [])
    expected = len(controls) + sum(not entry.get("optional") for entry in config["input"])
    if expected != len(signature.inputs):
        raise ConfigError(
            f"{_unable(config)}, configuration expects {expected} inputs, model provides {len(signature.inputs)}"
        )


def _check_optional(config: Config, entry: Config) -> None:
    if entry.get("optional") and config["max_batch_size"] > 0:
        raise ConfigError(
            f"{_unable(config)}, optional input '{entry['name']}' is not supported for models that support batching"
        )


def _check_tensor(config: Config, entry: Config, known: dict[str, TensorSpec], kind: str) -> None:
    spec = known.get(entry["name"])
    if spec is None:
        raise ConfigError(f"unexpected inference {kind} '{entry['name']}', allowed {kind}s are: {', '.join(known)}")
    if entry["data_type"] != spec.data_type:
        raise ConfigError(
            f"{_unable(config)}, configuration expects datatype {entry['data_type']} for {kind} '{spec.name}', "
            f"model provides {spec.data_type}"
        )
    dims = entry["reshape"].get("shape", []) if "reshape" in entry else entry["dims"]
    if spec.dims:
        _check_dims(config, spec, list(map(int, dims)), exact=kind == "output")
    elif any(int(size) != 1 for size in dims):
        raise ConfigError(f"{_unable(config)}, scalar tensor '{spec.name}' needs dims [1], configuration has {dims}")


def _check_dims(config: Config, spec: TensorSpec, dims: list[int], exact: bool) -> None:
    batching = config["max_batch_size"] > 0
    if batching and not spec.batches:
        raise ConfigError(
            f"{_unable(config)}, tensor '{spec.name}': for the model to support batching the shape should have at "
            f"least 1 dimension, and the first must be -1; but shape expected by the model is {list(spec.dims)}"
        )
    if not _fits([VARIABLE, *dims] if batching else dims, spec.dims, exact):
        expected = list(spec.dims[1:] if batching else spec.dims)
        raise ConfigError(
            f"{_unable(config)}, tensor '{spec.name}': the model expects {len(expected)} dimensions "
            f"(shape {expected}) but the model configuration specifies {len(dims)} dimensions (shape {dims})"
        )


def _fits(configured: Sequence[int], model: Sequence[int], exact: bool) -> bool:
    """Whether dims agree; where not exact, a variable dimension of the model takes a fixed one."""
    return len(configured) == len(model) and all(
        ours == theirs or (theirs == VARIABLE and not exact) for ours, theirs in zip(configured, model, strict=True)
    )


def _unable(config: Config) -> str:
    return f"unable to load model '{config['name']}'"


def auto_batch_size(config: Config, signature: Signature) -> int:
    """The max_batch_size of a configuration that leaves inputs or outputs to the ONNX file.

    Raises:
        ConfigError: it asks for batching and the file cannot.
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
