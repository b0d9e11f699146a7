"""A Triton with small ONNX models, one for each feature of the backend."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from tritonclient.grpc import InferenceServerClient

from tests.support.server.onnx_models import parameter, unary_config, write_model, write_unary
from tests.support.tritonserver import Server, running_triton

ELEMENT_TYPES: dict[str, tuple[int, Any]] = {
    "BOOL": (TensorProto.BOOL, np.array([[True, False]])),
    "UINT8": (TensorProto.UINT8, np.array([[0, 255]], np.uint8)),
    "UINT16": (TensorProto.UINT16, np.array([[0, 2**16 - 1]], np.uint16)),
    "UINT32": (TensorProto.UINT32, np.array([[0, 2**32 - 1]], np.uint32)),
    "UINT64": (TensorProto.UINT64, np.array([[0, 2**64 - 1]], np.uint64)),
    "INT8": (TensorProto.INT8, np.array([[-128, 127]], np.int8)),
    "INT16": (TensorProto.INT16, np.array([[-(2**15), 1]], np.int16)),
    "INT32": (TensorProto.INT32, np.array([[-(2**31), 1]], np.int32)),
    "INT64": (TensorProto.INT64, np.array([[-(2**63), 1]], np.int64)),
    "FP16": (TensorProto.FLOAT16, np.array([[0.5, -65504]], np.float16)),
    "FP32": (TensorProto.FLOAT, np.array([[0.1, -3e38]], np.float32)),
    "FP64": (TensorProto.DOUBLE, np.array([[0.1, -1e300]], np.float64)),
    "BYTES": (TensorProto.STRING, np.array([["国强".encode(), b""]], np.object_)),
}
# Waits until four requests are in the queue.
BATCHES_OF_4 = "dynamic_batching { preferred_batch_size: [4] max_queue_delay_microseconds: 2000000 }"
TUNED = "\n".join(
    [
        parameter("intra_op_thread_count", "1"),
        parameter("enable_mem_arena", "1"),
        parameter("gpu_mem_limit", "1024"),
        'optimization { graph { level: 2 } execution_accelerators { gpu_execution_accelerator: [{ name: "cuda" }] } }',
    ]
)
INPUT_2D = 'input [{ name: "X" data_type: TYPE_FP32 dims: [-1, 3] }]'
OUTPUT_2D = 'output [{ name: "Y" data_type: TYPE_FP32 dims: [-1, 3] }]'


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    repository = tmp_path_factory.mktemp("repository")
    write_unary(repository, "batching", unary_config(more=BATCHES_OF_4))
    write_unary(repository, "tuned", unary_config(more=TUNED))
    write_unary(repository, "renamed", 'default_model_filename: "net.onnx"', filename="net.onnx")
    write_unary(repository, "unbatched", unary_config(batch="", input=INPUT_2D, output=OUTPUT_2D))
    write_unary(repository, "half", unary_config(output=""))
    write_unary(repository, "versioned", version="1")
    write_unary(repository, "versioned", "version_policy: { all {} }", operator="Abs", version="2")
    write_unary(repository, "scalar", dims=[])
    write_unary(repository, "column", dims=["rows"])
    write_identity_of_all_types(repository, "types")
    write_lookup(repository, "lookup")
    write_sum_with_optional_offset(repository, "optional")
    write_row_filter(repository, "filter")
    with running_triton(repository) as server:
        yield server


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(server.grpc_url) as client:
        yield client


def write_identity_of_all_types(repository: Path, name: str) -> None:
    write_model(
        repository,
        name,
        [helper.make_node("Identity", [f"{name}_IN"], [name]) for name in ELEMENT_TYPES],
        [(f"{name}_IN", element_type, ["rows", 2]) for name, (element_type, _) in ELEMENT_TYPES.items()],
        [(name, element_type, ["rows", 2]) for name, (element_type, _) in ELEMENT_TYPES.items()],
    )


def write_lookup(repository: Path, name: str) -> None:
    """Y = [10, 20, 30][X]. An index out of range fails during the run."""
    write_model(
        repository,
        name,
        [helper.make_node("Gather", ["table", "X"], ["Y"])],
        [("X", TensorProto.INT64, ["rows", 1])],
        [("Y", TensorProto.FLOAT, ["rows", 1])],
        f"max_batch_size: 4\n{BATCHES_OF_4}",
        initializers=[helper.make_tensor("table", TensorProto.FLOAT, [3], [10, 20, 30])],
    )


def write_sum_with_optional_offset(repository: Path, name: str) -> None:
    """Y = X + OFFSET, where OFFSET is 100 unless a request sends it."""
    write_model(
        repository,
        name,
        [helper.make_node("Add", ["X", "OFFSET"], ["Y"])],
        [("X", TensorProto.FLOAT, [1]), ("OFFSET", TensorProto.FLOAT, [1])],
        [("Y", TensorProto.FLOAT, [1])],
        'input [{ name: "X" data_type: TYPE_FP32 dims: [1] },'
        ' { name: "OFFSET" data_type: TYPE_FP32 dims: [1] optional: true }]\n'
        'output [{ name: "Y" data_type: TYPE_FP32 dims: [1] }]',
        initializers=[helper.make_tensor("OFFSET", TensorProto.FLOAT, [1], [100])],
    )


def write_row_filter(repository: Path, name: str) -> None:
    """Y = the rows of X with a nonzero sum: fewer rows than the signature promises."""
    write_model(
        repository,
        name,
        [
            helper.make_node("ReduceSum", ["X", "axis"], ["sums"], keepdims=0),
            helper.make_node("Cast", ["sums"], ["keep"], to=TensorProto.BOOL),
            helper.make_node("Compress", ["X", "keep"], ["Y"], axis=0),
        ],
        [("X", TensorProto.FLOAT, ["rows", 3])],
        [("Y", TensorProto.FLOAT, ["kept", 3])],
        initializers=[helper.make_tensor("axis", TensorProto.INT64, [1], [1])],
    )
