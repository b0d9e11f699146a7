"""What the onnxruntime backend refuses to load, and the reason it gives."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from onnx import TensorProto, helper

from tests.support.server.onnx_models import negation_config, parameter, write_model, write_negation
from tests.support.tritonserver import running_triton

Y = 'name: "Y" data_type: TYPE_FP32'
X = 'name: "X" data_type: TYPE_FP32'


def accelerator(name: str) -> str:
    return f'optimization {{ execution_accelerators {{ cpu_execution_accelerator: [{{ name: "{name}" }}] }} }}'


# model name → its configuration, what the reason must say
NEGATIONS = {
    "input-name": (
        negation_config(input='input [{ name: "Z" data_type: TYPE_FP32 dims: [3] }]'),
        "unexpected inference input 'Z', allowed inputs are: X",
    ),
    "output-name": (
        negation_config(output='output [{ name: "Z" data_type: TYPE_FP32 dims: [3] }]'),
        "unexpected inference output 'Z', allowed outputs are: Y",
    ),
    "input-count": (
        negation_config(input=f'input [{{ {X} dims: [3] }}, {{ name: "Z" data_type: TYPE_FP32 dims: [3] }}]'),
        "configuration expects 2 inputs, model provides 1",
    ),
    "input-type": (
        negation_config(input='input [{ name: "X" data_type: TYPE_INT32 dims: [3] }]'),
        "configuration expects datatype TYPE_INT32 for input 'X', model provides TYPE_FP32",
    ),
    "output-type": (
        negation_config(output='output [{ name: "Y" data_type: TYPE_FP16 dims: [3] }]'),
        "configuration expects datatype TYPE_FP16 for output 'Y', model provides TYPE_FP32",
    ),
    "input-dims": (
        negation_config(input=f"input [{{ {X} dims: [4] }}]"),
        "tensor 'X': the model expects 1 dimensions (shape [3]) but the model configuration specifies 1 dimensions",
    ),
    "input-rank": (
        negation_config(input=f"input [{{ {X} dims: [3, 1] }}]"),
        "the model configuration specifies 2 dimensions (shape [3, 1])",
    ),
    "input-variable": (
        negation_config(input=f"input [{{ {X} dims: [-1] }}]"),
        "the model configuration specifies 1 dimensions (shape [-1])",
    ),
    "output-dims": (
        negation_config(output=f"output [{{ {Y} dims: [-1] }}]"),
        "tensor 'Y': the model expects 1 dimensions (shape [3])",
    ),
    "output-narrowed": (
        negation_config(batch="", input=f"input [{{ {X} dims: [2, 3] }}]", output=f"output [{{ {Y} dims: [2, 3] }}]"),
        "tensor 'Y': the model expects 2 dimensions (shape [-1, 3])",
    ),
    "mode": (
        negation_config(more=parameter("execution_mode", "2")),
        "Expected values for execution_mode are 0 or 1 but got 2",
    ),
    "threads": (
        negation_config(more=parameter("intra_op_thread_count", "two")),
        "failed to convert 'two' of parameter 'intra_op_thread_count' to integral number",
    ),
    "arena": (
        negation_config(more=parameter("enable_mem_arena", "maybe")),
        "failed to convert 'maybe' of parameter 'enable_mem_arena' to boolean",
    ),
    "accelerator": (negation_config(more=accelerator("warp")), "unknown Execution Accelerator 'warp' is requested"),
    "openvino": (
        negation_config(more=accelerator("openvino")),
        "Execution Accelerator 'openvino' is not part of the installed onnxruntime package",
    ),
    "operators": (
        negation_config(more='model_operations { op_library_filename: "nowhere/libops.so" }'),
        "unable to load the custom-op library 'libops.so'",
    ),
    "file": (
        negation_config(more='default_model_filename: "absent.onnx"'),
        "unable to find 'absent.onnx' for model 'file', version 1",
    ),
    "optional": (
        negation_config(input=f"input [{{ {X} dims: [3] optional: true }}]"),
        "configuration expects 0 inputs, model provides 1",
    ),
    "ragged": (
        negation_config(input=f"input [{{ {X} dims: [3] allow_ragged_batch: true }}]"),
        "allow_ragged_batch not supported by the Python-based onnxruntime backend",
    ),
}


def write_fixed(repository: Path, name: str, config: str) -> None:
    """Y = -X with one row exactly: a graph that cannot batch."""
    write_model(
        repository,
        name,
        [helper.make_node("Neg", ["X"], ["Y"])],
        [("X", TensorProto.FLOAT, [1, 3])],
        [("Y", TensorProto.FLOAT, [1, 3])],
        config,
    )


def write_garbage(repository: Path, name: str, config: str) -> None:
    write_negation(repository, name, config)
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


OTHERS: dict[str, tuple[Callable[[Path, str, str], None], str, str]] = {
    "fixed": (
        write_fixed,
        negation_config(),
        "for the model to support batching the shape should have at least 1 dimension, and the first must be -1",
    ),
    "autofill": (
        write_fixed,
        "max_batch_size: 8",
        "autofill failed for model 'autofill': model does not support batching while non-zero max_batch_size",
    ),
    "garbage": (write_garbage, negation_config(), "unable to load model 'garbage': Load model from failed"),
    "sequence": (write_sequence, "", "unsupported ONNX type 'seq(tensor(float))' for I/O 'X'"),
}
EXPECTED = {name: reason for name, (_, reason) in NEGATIONS.items()} | {
    name: reason for name, (_, _, reason) in OTHERS.items()
}


@pytest.fixture(scope="module")
def reasons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Model name → why it is not available."""
    repository = tmp_path_factory.mktemp("repository")
    for name, (config, _) in NEGATIONS.items():
        write_negation(repository, name, config)
    for name, (write, config, _) in OTHERS.items():
        write(repository, name, config)
    with running_triton(repository, "--exit-on-error=false", "--strict-readiness=false") as server:
        request = urllib.request.Request(f"http://{server.http_url}/v2/repository/index", method="POST")
        with urllib.request.urlopen(request, timeout=10) as response:
            yield {model["name"]: model.get("reason", "") for model in json.load(response)}


@pytest.mark.parametrize("name", EXPECTED)
def test_refused_with_its_reason(reasons: dict[str, str], name: str) -> None:
    assert EXPECTED[name] in reasons[name]
