"""Models that the onnxruntime backend does not load, and the reasons it gives."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from onnx import TensorProto, helper

from tests.support.server.onnx_models import parameter, unary_config, write_model, write_unary
from tests.support.tritonserver import ADMIN_HEADERS, running_triton

ACCELERATOR = 'optimization { execution_accelerators { cpu_execution_accelerator: [{ name: "openvino" }] } }'
UNSUPPORTED = "not supported by the Python-based onnxruntime backend"


def tensor(name: str, dims: list[int], data_type: str = "FP32", more: str = "") -> str:
    return f'{{ name: "{name}" data_type: TYPE_{data_type} dims: {dims} {more} }}'


def x(dims: list[int], data_type: str = "FP32", more: str = "") -> str:
    return f"input [{tensor('X', dims, data_type, more)}]"


def y(dims: list[int], data_type: str = "FP32") -> str:
    return f"output [{tensor('Y', dims, data_type)}]"


# model name → parts of its configuration, part of the reason
UNARY: dict[str, tuple[dict[str, str], str]] = {
    "input-name": ({"input": f"input [{tensor('Z', [3])}]"}, "unexpected inference input 'Z', allowed inputs are: X"),
    "output-name": (
        {"output": f"output [{tensor('Z', [3])}]"},
        "unexpected inference output 'Z', allowed outputs are: Y",
    ),
    "input-count": (
        {"input": f"input [{tensor('X', [3])}, {tensor('Z', [3])}]"},
        "configuration expects 2 inputs, model provides 1",
    ),
    "input-type": (
        {"input": x([3], "INT32")},
        "configuration expects datatype TYPE_INT32 for input 'X', model provides TYPE_FP32",
    ),
    "output-type": (
        {"output": y([3], "FP16")},
        "configuration expects datatype TYPE_FP16 for output 'Y', model provides TYPE_FP32",
    ),
    "input-dims": (
        {"input": x([4])},
        "tensor 'X': the model expects 1 dimensions (shape [3]) but the model configuration specifies 1 dimensions",
    ),
    "input-rank": ({"input": x([3, 1])}, "the model configuration specifies 2 dimensions (shape [3, 1])"),
    "input-variable": ({"input": x([-1])}, "the model configuration specifies 1 dimensions (shape [-1])"),
    "output-dims": ({"output": y([-1])}, "tensor 'Y': the model expects 1 dimensions (shape [3])"),
    "output-narrowed": (
        {"batch": "", "input": x([2, 3]), "output": y([2, 3])},
        "tensor 'Y': the model expects 2 dimensions (shape [-1, 3])",
    ),
    "threads": (
        {"more": parameter("intra_op_thread_count", "two")},
        "failed to convert 'two' of parameter 'intra_op_thread_count' to integral number",
    ),
    "file": (
        {"more": 'default_model_filename: "absent.onnx"'},
        "unable to find 'absent.onnx' for model 'file', version 1",
    ),
    "optional": ({"input": x([3], more="optional: true")}, "configuration expects 0 inputs, model provides 1"),
    "ragged": ({"input": x([3], more="allow_ragged_batch: true")}, f"allow_ragged_batch {UNSUPPORTED}"),
    "sequence-batching": ({"more": "sequence_batching { }"}, f"sequence_batching {UNSUPPORTED}"),
    "accelerator": ({"more": ACCELERATOR}, f"cpu_execution_accelerator {UNSUPPORTED}"),
    "operators": (
        {"more": 'model_operations { op_library_filename: "libops.so" }'},
        f"model_operations {UNSUPPORTED}",
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
    **{name: (write_unary, unary_config(**parts), reason) for name, (parts, reason) in UNARY.items()},
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
        request = urllib.request.Request(f"http://{server.http_url}/v2/repository/index", b"", ADMIN_HEADERS)
        with urllib.request.urlopen(request, timeout=10) as response:
            yield {model["name"]: model.get("reason", "") for model in json.load(response)}


@pytest.mark.parametrize(("name", "reason"), [(name, reason) for name, (_, _, reason) in CASES.items()])
def test_rejected_model_has_a_reason(reasons: dict[str, str], name: str, reason: str) -> None:
    assert reason in reasons[name]
