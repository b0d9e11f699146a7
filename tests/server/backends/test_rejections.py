"""Models that the onnxruntime backend does not load, and the reasons it gives."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from onnx import TensorProto, helper

from tests.support.server.onnx_models import parameter, unary_config, write_model, write_unary
from tests.support.tritonserver import running_triton

Y = 'name: "Y" data_type: TYPE_FP32'
X = 'name: "X" data_type: TYPE_FP32'
ACCELERATOR = 'optimization { execution_accelerators { cpu_execution_accelerator: [{ name: "openvino" }] } }'

# model name → configuration, part of the reason
UNARY = {
    "input-name": (
        unary_config(input='input [{ name: "Z" data_type: TYPE_FP32 dims: [3] }]'),
        "unexpected inference input 'Z', allowed inputs are: X",
    ),
    "output-name": (
        unary_config(output='output [{ name: "Z" data_type: TYPE_FP32 dims: [3] }]'),
        "unexpected inference output 'Z', allowed outputs are: Y",
    ),
    "input-count": (
        unary_config(input=f'input [{{ {X} dims: [3] }}, {{ name: "Z" data_type: TYPE_FP32 dims: [3] }}]'),
        "configuration expects 2 inputs, model provides 1",
    ),
    "input-type": (
        unary_config(input='input [{ name: "X" data_type: TYPE_INT32 dims: [3] }]'),
        "configuration expects datatype TYPE_INT32 for input 'X', model provides TYPE_FP32",
    ),
    "output-type": (
        unary_config(output='output [{ name: "Y" data_type: TYPE_FP16 dims: [3] }]'),
        "configuration expects datatype TYPE_FP16 for output 'Y', model provides TYPE_FP32",
    ),
    "input-dims": (
        unary_config(input=f"input [{{ {X} dims: [4] }}]"),
        "tensor 'X': the model expects 1 dimensions (shape [3]) but the model configuration specifies 1 dimensions",
    ),
    "input-rank": (
        unary_config(input=f"input [{{ {X} dims: [3, 1] }}]"),
        "the model configuration specifies 2 dimensions (shape [3, 1])",
    ),
    "input-variable": (
        unary_config(input=f"input [{{ {X} dims: [-1] }}]"),
        "the model configuration specifies 1 dimensions (shape [-1])",
    ),
    "output-dims": (
        unary_config(output=f"output [{{ {Y} dims: [-1] }}]"),
        "tensor 'Y': the model expects 1 dimensions (shape [3])",
    ),
    "output-narrowed": (
        unary_config(batch="", input=f"input [{{ {X} dims: [2, 3] }}]", output=f"output [{{ {Y} dims: [2, 3] }}]"),
        "tensor 'Y': the model expects 2 dimensions (shape [-1, 3])",
    ),
    "mode": (
        unary_config(more=parameter("execution_mode", "2")),
        "Expected values for execution_mode are 0 or 1 but got 2",
    ),
    "threads": (
        unary_config(more=parameter("intra_op_thread_count", "two")),
        "failed to convert 'two' of parameter 'intra_op_thread_count' to integral number",
    ),
    "accelerator": (
        unary_config(more=ACCELERATOR),
        "cpu_execution_accelerator not supported by the Python-based onnxruntime backend",
    ),
    "operators": (
        unary_config(more='model_operations { op_library_filename: "libops.so" }'),
        "model_operations not supported by the Python-based onnxruntime backend",
    ),
    "file": (
        unary_config(more='default_model_filename: "absent.onnx"'),
        "unable to find 'absent.onnx' for model 'file', version 1",
    ),
    "optional": (
        unary_config(input=f"input [{{ {X} dims: [3] optional: true }}]"),
        "configuration expects 0 inputs, model provides 1",
    ),
    "ragged": (
        unary_config(input=f"input [{{ {X} dims: [3] allow_ragged_batch: true }}]"),
        "allow_ragged_batch not supported by the Python-based onnxruntime backend",
    ),
}


def write_single_row(repository: Path, name: str, config: str) -> None:
    write_unary(repository, name, config, dims=[1, 3])


def write_garbage(repository: Path, name: str, config: str) -> None:
    write_unary(repository, name, config)
    (repository / name / "1" / "model.onnx").write_bytes(b"not a graph")


def write_sequence(repository: Path, name: str, config: str) -> None:
    write_model(
        repository,
        name,
        [helper.make_node("SequenceAt", ["X", "first"], ["Y"])],
        [],
        [("Y", TensorProto.FLOAT, ["rows", 3])],
        config,
        initializers=[helper.make_tensor("first", TensorProto.INT64, [], [0])],
        sequences=["X"],
    )


# model name → writer, configuration, part of the reason
CASES: dict[str, tuple[Callable[[Path, str, str], None], str, str]] = {
    **{name: (write_unary, config, reason) for name, (config, reason) in UNARY.items()},
    "fixed": (
        write_single_row,
        unary_config(),
        "for the model to support batching the shape should have at least 1 dimension, and the first must be -1",
    ),
    "autofill": (
        write_single_row,
        "max_batch_size: 8",
        "autofill failed for model 'autofill': model does not support batching while non-zero max_batch_size",
    ),
    "garbage": (write_garbage, unary_config(), "unable to load model 'garbage': Load model from failed"),
    "sequence": (write_sequence, "", "unsupported ONNX type 'seq(tensor(float))' for I/O 'X'"),
}


@pytest.fixture(scope="module")
def reasons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Return by model name why it is not loaded."""
    repository = tmp_path_factory.mktemp("repository")
    for name, (write, config, _) in CASES.items():
        write(repository, name, config)
    with running_triton(repository, "--exit-on-error=false", "--strict-readiness=false") as server:
        request = urllib.request.Request(f"http://{server.http_url}/v2/repository/index", method="POST")
        with urllib.request.urlopen(request, timeout=10) as response:
            yield {model["name"]: model.get("reason", "") for model in json.load(response)}


@pytest.mark.parametrize(("name", "reason"), [(name, reason) for name, (_, _, reason) in CASES.items()])
def test_rejected_model_has_a_reason(reasons: dict[str, str], name: str, reason: str) -> None:
    assert reason in reasons[name]
