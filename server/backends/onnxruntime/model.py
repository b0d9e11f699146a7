"""Python-based backend `onnxruntime`, a substitute for Triton's C++ backend of this name.

Triton imports this file as `<backend-directory>/onnxruntime/model.py`. The names of its sibling modules start with
`ort_`: Triton appends the folder to `sys.path` after site-packages, where other names could be taken.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import ort_batch
import ort_config
import ort_signature
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors
from ort_batch import BatchItem, Tensors
from ort_config import ConfigError, ModelConfig
from ort_log import RequestLog
from ort_signature import Signature

# ONNX Runtime does not separate invalid inputs from other failures of a run, so all count as invalid inputs.
INPUT_ERRORS = (ort_errors.Fail, ort_errors.InvalidArgument, ort_errors.RuntimeException, UnicodeDecodeError)
PATH = re.compile(r"\S*/\S+")


class TritonPythonModel:
    """One instance of an ONNX model."""

    @staticmethod
    def auto_complete_config(auto_complete_model_config: Any) -> Any:
        """Complete a configuration without inputs or outputs from the ONNX file."""
        config = auto_complete_model_config.as_dict()
        if not (config["input"] and config["output"]):
            with _config_errors():
                session = _open_session(config, Path(pb_utils.get_model_dir()))
                _complete(auto_complete_model_config, Signature.of(session))
        return auto_complete_model_config

    def initialize(self, args: dict[str, str]) -> None:
        """Load the version's ONNX file and check the configuration against it."""
        config = json.loads(args["model_config"])
        with _config_errors():
            self._session = _open_session(config, Path(args["model_repository"]) / args["model_version"])
            signature = Signature.of(self._session)
            ort_signature.check(config, signature)
        self._name = args["model_name"]
        self._log = RequestLog("onnxruntime")
        self._batching = config["max_batch_size"] > 0
        specs = {**signature.inputs, **signature.optional, **signature.outputs}
        self._scalars = {name for name, spec in specs.items() if not spec.dims}
        self._scalar_shapes = {entry["name"]: [1] * len(entry["dims"]) for entry in config["output"]}

    def execute(self, requests: list[Any]) -> list[Any]:
        """Respond to every request. Invalid requests do not affect the others of the same call."""
        results: dict[int, Tensors | Exception] = {}
        items: dict[int, BatchItem] = {}
        for index, request in enumerate(requests):
            try:
                items[index] = _batch_item(request)
            except UnicodeDecodeError as error:
                results[index] = error
        results |= zip(items, self._run_items(list(items.values())), strict=True)
        return [self._response(request, results[index]) for index, request in enumerate(requests)]

    def _run_items(self, items: list[BatchItem]) -> list[Tensors | Exception]:
        if self._batching:
            return ort_batch.run_together(items, self._run)
        return [ort_batch.run_alone(item, self._run) for item in items]

    def _run(self, names: list[str], inputs: Tensors) -> Tensors:
        """Run the session. Triton has no scalars: they are tensors of one element there."""
        feed = {name: array.reshape(()) if name in self._scalars else array for name, array in inputs.items()}
        arrays = self._session.run(names, feed)
        return {
            name: array.reshape(self._scalar_shapes[name]) if name in self._scalars else array
            for name, array in zip(names, arrays, strict=True)
        }

    def _response(self, request: Any, result: Tensors | Exception) -> Any:
        if not isinstance(result, Exception):
            return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in result.items()])
        shapes = ", ".join(f"{tensor.name()} {list(tensor.shape())}" for tensor in request.inputs())
        message = f"model '{self._name}' failed on inputs {shapes}: {_without_paths(result)}"
        is_invalid = isinstance(result, INPUT_ERRORS)
        code = pb_utils.TritonError.INVALID_ARG if is_invalid else pb_utils.TritonError.INTERNAL
        # The message may quote a value of an input.
        level, reason = "warning" if is_invalid else "error", type(result).__name__
        self._log.write(level, request.request_id(), model=self._name, shapes=shapes, reason=reason)
        return pb_utils.InferenceResponse(output_tensors=[], error=pb_utils.TritonError(message, code))


@contextmanager
def _config_errors() -> Iterator[None]:
    """Translate ConfigError to Triton's exception, without a traceback, which Triton would append to the message."""
    try:
        yield
    except ConfigError as error:
        raise pb_utils.TritonModelException(str(error)) from None


def _open_session(config: ModelConfig, version_folder: Path) -> ort.InferenceSession:
    path = ort_config.model_path(config, version_folder)
    options = ort_config.session_options(config)
    try:
        return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no common base class
        raise ConfigError(f"unable to load model '{config['name']}': {_without_paths(error)}") from None


def _complete(auto_complete: Any, signature: Signature) -> None:
    config = auto_complete.as_dict()
    max_batch_size = ort_signature.auto_batch_size(config, signature)
    auto_complete.set_max_batch_size(max_batch_size)
    if max_batch_size > 1:
        auto_complete.set_dynamic_batching()
    for key, specs in (("input", signature.inputs), ("output", signature.outputs)):
        if not config[key]:
            # add_input and add_output do not accept `reshape`, which a batch of scalars needs.
            config[key] = [spec.config_entry(max_batch_size > 0) for spec in specs.values()]


def _batch_item(request: Any) -> BatchItem:
    inputs = {tensor.name(): _decoded(tensor.as_numpy()) for tensor in request.inputs()}
    return BatchItem(inputs, list(request.requested_output_names()))


def _decoded(array: NDArray[Any]) -> NDArray[Any]:
    """Decode a tensor of strings: they are bytes in Triton and text in ONNX Runtime."""
    if array.dtype != np.object_:
        return array
    return np.array([item.decode() for item in array.flat], dtype=np.object_).reshape(array.shape)


def _without_paths(error: Exception) -> str:
    """Return the message in one line, without paths and without ONNX Runtime's prefix of three colons."""
    return " ".join(PATH.sub("", str(error).split(" : ", 3)[-1]).split())
