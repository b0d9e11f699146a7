"""The Python-based onnxruntime backend inside a real tritonserver."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
from numpy.typing import NDArray
from onnx import TensorProto, helper
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from tests.support.server.onnx_models import negation_config, parameter, write_model, write_negation
from tests.support.tritonserver import running_triton

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
BATCH_UP = "dynamic_batching { preferred_batch_size: [4] max_queue_delay_microseconds: 2000000 }"
TUNED = "\n".join(
    [
        parameter("execution_mode", "1"),
        parameter("intra_op_thread_count", "1"),
        parameter("inter_op_thread_count", "1"),
        parameter("enable_mem_arena", "ON"),
        parameter("enable_mem_pattern", "False"),
        parameter("session.use_device_allocator_for_initializers", "1"),
        parameter("session.intra_op.allow_spinning", "0"),
        parameter("memory.enable_memory_arena_shrinkage", "cpu:0"),
        parameter("gpu_mem_limit", "1024"),
        'optimization { graph { level: 2 } execution_accelerators { gpu_execution_accelerator: [{ name: "cuda" }] } }',
    ]
)

NO_ARENA = parameter("enable_mem_arena", "off")
INPUT_2D = 'input [{ name: "X" data_type: TYPE_FP32 dims: [-1, 3] }]'
OUTPUT_2D = 'output [{ name: "Y" data_type: TYPE_FP32 dims: [-1, 3] }]'


def write_repository(repository: Path) -> None:
    write_model(
        repository,
        "types",
        [helper.make_node("Identity", [f"{name}_IN"], [name]) for name in ELEMENT_TYPES],
        [(f"{name}_IN", element_type, ["rows", 2]) for name, (element_type, _) in ELEMENT_TYPES.items()],
        [(name, element_type, ["rows", 2]) for name, (element_type, _) in ELEMENT_TYPES.items()],
    )
    write_negation(repository, "merged", negation_config(more=BATCH_UP))
    write_gather(repository, "picky")
    write_negation(repository, "tuned", negation_config(more=TUNED))
    write_negation(repository, "renamed", 'default_model_filename: "net.onnx"', filename="net.onnx")
    write_negation(repository, "unbatched", negation_config(batch="", input=INPUT_2D, output=OUTPUT_2D, more=NO_ARENA))
    write_negation(repository, "half", negation_config(output=""))
    write_versions(repository, "versioned")
    write_scalar(repository, "scalar")
    write_column(repository, "column")
    write_optional(repository, "optional")
    write_row_dropper(repository, "dropper")


def write_gather(repository: Path, name: str) -> None:
    """Y = [10, 20, 30][X]: an index out of range fails inside the run."""
    write_model(
        repository,
        name,
        [helper.make_node("Gather", ["table", "X"], ["Y"])],
        [("X", TensorProto.INT64, ["rows", 1])],
        [("Y", TensorProto.FLOAT, ["rows", 1])],
        f"max_batch_size: 4\n{BATCH_UP}",
        initializers=[helper.make_tensor("table", TensorProto.FLOAT, [3], [10, 20, 30])],
    )


def write_versions(repository: Path, name: str) -> None:
    write_negation(repository, name, version="1")
    write_model(
        repository,
        name,
        [helper.make_node("Abs", ["X"], ["Y"])],
        [("X", TensorProto.FLOAT, ["rows", 3])],
        [("Y", TensorProto.FLOAT, ["rows", 3])],
        "version_policy: { all {} }",
        version="2",
    )


def write_scalar(repository: Path, name: str) -> None:
    neg = [helper.make_node("Neg", ["X"], ["Y"])]
    write_model(repository, name, neg, [("X", TensorProto.FLOAT, [])], [("Y", TensorProto.FLOAT, [])])


def write_column(repository: Path, name: str) -> None:
    neg = [helper.make_node("Neg", ["X"], ["Y"])]
    write_model(repository, name, neg, [("X", TensorProto.FLOAT, ["rows"])], [("Y", TensorProto.FLOAT, ["rows"])])


def write_optional(repository: Path, name: str) -> None:
    """Y = X + OFFSET, where OFFSET is 100 unless a request brings its own."""
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


def write_row_dropper(repository: Path, name: str) -> None:
    """Y = the rows of X that have something: not one for one, whatever its signature says."""
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


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[grpcclient.InferenceServerClient]:
    repository = tmp_path_factory.mktemp("repository")
    write_repository(repository)
    with running_triton(repository) as server, grpcclient.InferenceServerClient(server.grpc_url) as client:
        yield client


def infer(
    client: grpcclient.InferenceServerClient,
    model: str,
    inputs: dict[str, NDArray[Any]],
    wanted: list[str] | None = None,
    version: str = "",
) -> dict[str, NDArray[Any]]:
    tensors = []
    for name, array in inputs.items():
        tensor = grpcclient.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        tensors.append(tensor.set_data_from_numpy(array))
    outputs = None if wanted is None else [grpcclient.InferRequestedOutput(name) for name in wanted]
    result = client.infer(model, tensors, model_version=version, outputs=outputs)
    return {output.name: result.as_numpy(output.name) for output in result.get_response().outputs}


def rows(*values: float) -> NDArray[np.float32]:
    return np.array([values], np.float32)


def together(
    client: grpcclient.InferenceServerClient, model: str, inputs: list[NDArray[Any]]
) -> list[Future[dict[str, NDArray[Any]]]]:
    with ThreadPoolExecutor(len(inputs)) as pool:
        return [pool.submit(infer, client, model, {"X": array}) for array in inputs]


def counts(client: grpcclient.InferenceServerClient, model: str) -> tuple[int, int]:
    """Rows answered so far, and execute calls it took."""
    statistics = client.get_inference_statistics(model).model_stats[0]
    return statistics.inference_count, statistics.execution_count


@pytest.mark.parametrize("name", ELEMENT_TYPES)
def test_every_element_type_returns_as_it_came(client: grpcclient.InferenceServerClient, name: str) -> None:
    inputs = {f"{each}_IN": array for each, (_, array) in ELEMENT_TYPES.items()}

    outputs = infer(client, "types", inputs, wanted=[name])

    assert list(outputs) == [name], "only what was requested"
    assert outputs[name].dtype == inputs[f"{name}_IN"].dtype
    np.testing.assert_array_equal(outputs[name], inputs[f"{name}_IN"])


def test_text_that_is_not_utf8_fails_its_request(client: grpcclient.InferenceServerClient) -> None:
    inputs = {f"{each}_IN": array for each, (_, array) in ELEMENT_TYPES.items()}
    inputs["BYTES_IN"] = np.array([[b"ok", b"\xff"]], np.object_)

    with pytest.raises(InferenceServerException, match=r"model 'types' failed .* can't decode byte 0xff") as caught:
        infer(client, "types", inputs)
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"


def test_requests_are_merged_into_one_call(client: grpcclient.InferenceServerClient) -> None:
    inputs = [rows(i, i + 0.5, -i) for i in range(4)]
    rows_before, calls_before = counts(client, "merged")

    answers = together(client, "merged", inputs)

    for array, answer in zip(inputs, answers, strict=True):
        np.testing.assert_array_equal(answer.result()["Y"], -array)
    assert counts(client, "merged") == (rows_before + 4, calls_before + 1)


def test_requests_of_several_rows_get_their_own_rows(client: grpcclient.InferenceServerClient) -> None:
    inputs = [np.full((size, 3), size, np.float32) for size in (1, 3)]

    answers = together(client, "merged", inputs)

    for array, answer in zip(inputs, answers, strict=True):
        np.testing.assert_array_equal(answer.result()["Y"], -array)


def test_a_bad_request_fails_alone(client: grpcclient.InferenceServerClient) -> None:
    answers = together(client, "picky", [np.array([[index]]) for index in (0, 7, 1, 2)])

    assert [answers[i].result()["Y"].item() for i in (0, 2, 3)] == [10, 20, 30]
    error = answers[1].exception()
    assert isinstance(error, InferenceServerException)
    assert error.status() == "StatusCode.INVALID_ARGUMENT"
    assert error.message().startswith("model 'picky' failed on inputs X [1, 1]: ")
    assert "idx=7" in error.message()
    assert "/" not in error.message(), "no paths"
    assert counts(client, "picky")[1] == 1, "they came in one call"


def test_documented_parameters_are_accepted(client: grpcclient.InferenceServerClient) -> None:
    np.testing.assert_array_equal(infer(client, "tuned", {"X": rows(1, 2, 3)})["Y"], rows(-1, -2, -3))


def test_the_default_model_filename_counts(client: grpcclient.InferenceServerClient) -> None:
    np.testing.assert_array_equal(infer(client, "renamed", {"X": rows(1, 2, 3)})["Y"], rows(-1, -2, -3))


def test_a_model_that_does_not_batch(client: grpcclient.InferenceServerClient) -> None:
    table = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(infer(client, "unbatched", {"X": table})["Y"], -table)


def test_each_version_runs_its_own_file(client: grpcclient.InferenceServerClient) -> None:
    assert infer(client, "versioned", {"X": rows(1, 2, 3)}, version="1")["Y"].tolist() == [[-1, -2, -3]]
    assert infer(client, "versioned", {"X": rows(1, 2, 3)}, version="2")["Y"].tolist() == [[1, 2, 3]]


def test_scalars_come_and_go_as_one_element(client: grpcclient.InferenceServerClient) -> None:
    assert infer(client, "scalar", {"X": np.array([2], np.float32)})["Y"].tolist() == [-2]


def test_an_optional_input_may_be_left_out(client: grpcclient.InferenceServerClient) -> None:
    one = np.array([1], np.float32)
    assert infer(client, "optional", {"X": one})["Y"].tolist() == [101]
    assert infer(client, "optional", {"X": one, "OFFSET": one})["Y"].tolist() == [2]


def test_rows_that_do_not_match_are_refused(client: grpcclient.InferenceServerClient) -> None:
    table = np.array([[1, 2, 3], [0, 0, 0]], np.float32)
    with pytest.raises(InferenceServerException, match=r"output 'Y' has shape \[1, 3\] for a batch of 2"):
        infer(client, "dropper", {"X": table})
    np.testing.assert_array_equal(infer(client, "dropper", {"X": table[:1]})["Y"], table[:1])


def test_a_configuration_is_completed_from_the_file(client: grpcclient.InferenceServerClient) -> None:
    config = client.get_model_config("renamed").config
    assert (config.max_batch_size, config.HasField("dynamic_batching")) == (4, True)
    assert [(tensor.name, list(tensor.dims)) for tensor in config.input] == [("X", [3])]
    assert [(tensor.name, list(tensor.dims)) for tensor in config.output] == [("Y", [3])]


def test_what_the_configuration_says_stays(client: grpcclient.InferenceServerClient) -> None:
    config = client.get_model_config("half").config
    assert config.max_batch_size == 8
    assert [(tensor.name, list(tensor.dims)) for tensor in config.output] == [("Y", [3])]


def test_a_complete_configuration_is_not_touched(client: grpcclient.InferenceServerClient) -> None:
    assert not client.get_model_config("tuned").config.HasField("dynamic_batching")


def test_a_batch_of_scalars_is_completed_by_a_reshape(client: grpcclient.InferenceServerClient) -> None:
    assert infer(client, "column", {"X": np.array([[1], [2]], np.float32)})["Y"].tolist() == [[-1], [-2]]
