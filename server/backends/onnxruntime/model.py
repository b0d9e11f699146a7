"""Python-based backend `onnxruntime`: stands in for Triton's C++ backend of that name where there is none.

Triton finds it as `<backend-directory>/onnxruntime/model.py` and imports it from that folder.
The siblings' names start with `ort_` because Triton appends the folder to `sys.path` after site-packages.
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
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors
from ort_batch import Arrays, Job
from ort_config import Config, ConfigError
from ort_signature import Signature

# A run's failure is put down to the values it was given: ONNX Runtime's classes do not tell the two apart.
CALLERS_FAULT = (ort_errors.Fail, ort_errors.InvalidArgument, ort_errors.RuntimeException, UnicodeDecodeError)
PATH = re.compile(r"\S*/\S+")


class TritonPythonModel:
    """One instance of an ONNX model."""

    @staticmethod
    def auto_complete_config(auto_complete_model_config: Any) -> Any:
        """Take from the ONNX file what the configuration leaves out; nothing where it names inputs and outputs."""
        config = auto_complete_model_config.as_dict()
        if not (config["input"] and config["output"]):
            with _refusals():
                session = _session(config, Path(pb_utils.get_model_dir()))
                _complete(auto_complete_model_config, Signature.of(session))
        return auto_complete_model_config

    def initialize(self, args: dict[str, str]) -> None:
        """Load the version's ONNX file and refuse a configuration that it contradicts."""
        config = json.loads(args["model_config"])
        with _refusals():
            self._session = _session(config, Path(args["model_repository"]) / args["model_version"])
            self._run_options = ort_config.run_options(config)
            signature = Signature.of(self._session)
            ort_signature.check(config, signature)
        self._name = args["model_name"]
        self._batching = config["max_batch_size"] > 0
        specs = {**signature.inputs, **signature.optional, **signature.outputs}
        self._scalars = {name for name, spec in specs.items() if not spec.dims}
        self._scalar_shapes = {entry["name"]: [1] * len(entry["dims"]) for entry in config["output"]}

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer every request, the good ones also where others of the same call are bad."""
        outcomes: dict[int, Arrays | Exception] = {}
        jobs: dict[int, Job] = {}
        for index, request in enumerate(requests):
            try:
                jobs[index] = _job(request)
            except UnicodeDecodeError as error:
                outcomes[index] = error
        outcomes |= zip(jobs, self._outcomes(list(jobs.values())), strict=True)
        return [self._response(request, outcomes[index]) for index, request in enumerate(requests)]

    def _outcomes(self, jobs: list[Job]) -> list[Arrays | Exception]:
        if self._batching:
            return ort_batch.run_together(jobs, self._run)
        return [ort_batch.run_alone(job, self._run) for job in jobs]

    def _run(self, wanted: list[str], inputs: Arrays) -> Arrays:
        """One run. Triton has no scalars: they come and go as one element."""
        feed = {name: array.reshape(()) if name in self._scalars else array for name, array in inputs.items()}
        arrays = self._session.run(wanted, feed, self._run_options)
        return {
            name: array.reshape(self._scalar_shapes[name]) if name in self._scalars else array
            for name, array in zip(wanted, arrays, strict=True)
        }

    def _response(self, request: Any, outcome: Arrays | Exception) -> Any:
        if isinstance(outcome, Exception):
            return pb_utils.InferenceResponse(output_tensors=[], error=self._error(request, outcome))
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in outcome.items()])

    def _error(self, request: Any, error: Exception) -> Any:
        """The caller's error: which inputs and why, without the paths of this machine."""
        shapes = ", ".join(f"{tensor.name()} {list(tensor.shape())}" for tensor in request.inputs())
        message = f"model '{self._name}' failed on inputs {shapes}: {_public(error)}"
        code = pb_utils.TritonError.INVALID_ARG if isinstance(error, CALLERS_FAULT) else pb_utils.TritonError.INTERNAL
        return pb_utils.TritonError(message, code)


@contextmanager
def _refusals() -> Iterator[None]:
    """Refuse to load in one sentence; Triton appends the traceback of what is raised, so it is cut here."""
    try:
        yield
    except ConfigError as error:
        raise pb_utils.TritonModelException(str(error)) from None


def _session(config: Config, version_folder: Path) -> ort.InferenceSession:
    """Open the version's ONNX file as the configuration says."""
    path = ort_config.model_path(config, version_folder)
    options, providers = ort_config.session_options(config), ort_config.providers(config)
    try:
        return ort.InferenceSession(path, options, providers=providers)
    except Exception as error:  # ONNX Runtime's errors share no narrower base
        raise ConfigError(f"unable to load model '{config['name']}': {_public(error)}") from None


def _complete(auto_complete: Any, signature: Signature) -> None:
    config = auto_complete.as_dict()
    max_batch_size = ort_signature.auto_batch_size(config, signature)
    auto_complete.set_max_batch_size(max_batch_size)
    if max_batch_size > 1 and "sequence_batching" not in config:
        auto_complete.set_dynamic_batching()
    for key, specs in (("input", signature.inputs), ("output", signature.outputs)):
        if not config[key]:
            # Not add_input and add_output: they know no `reshape`, which a batch of scalars needs.
            config[key] = [spec.entry(max_batch_size > 0) for spec in specs.values()]


def _job(request: Any) -> Job:
    inputs = {tensor.name(): _array(tensor.as_numpy()) for tensor in request.inputs()}
    return Job(inputs, list(request.requested_output_names()))


def _array(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A tensor as ONNX Runtime takes it: strings are text there and bytes in Triton."""
    if array.dtype != np.object_:
        return array
    return np.array([item.decode() for item in array.flat], dtype=np.object_).reshape(array.shape)


def _public(error: Exception) -> str:
    """An error in one line that shows no path; ONNX Runtime puts its code and status before the third colon."""
    return " ".join(PATH.sub("", str(error).split(" : ", 3)[-1]).split())
