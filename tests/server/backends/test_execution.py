"""Inference through the Python-based onnxruntime backend in a real tritonserver."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from reliability.faults.replica import logged_events
from tests.server.backends.conftest import ELEMENT_TYPES
from tests.support.tritonserver import Server
from tests.support.waiting import wait_until

Tensors = dict[str, NDArray[Any]]


def infer(
    client: InferenceServerClient, model: str, inputs: Tensors, outputs: list[str] | None = None, version: str = ""
) -> Tensors:
    tensors = []
    for name, array in inputs.items():
        tensor = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        tensors.append(tensor.set_data_from_numpy(array))
    requested = None if outputs is None else [InferRequestedOutput(name) for name in outputs]
    result = client.infer(model, tensors, model_version=version, outputs=requested)
    return {output.name: result.as_numpy(output.name) for output in result.get_response().outputs}


def row(*values: float) -> NDArray[np.float32]:
    return np.array([values], np.float32)


def infer_concurrently(client: InferenceServerClient, model: str, inputs: list[NDArray[Any]]) -> list[Future[Tensors]]:
    with ThreadPoolExecutor(len(inputs)) as pool:
        return [pool.submit(infer, client, model, {"X": array}) for array in inputs]


def counts(client: InferenceServerClient, model: str) -> tuple[int, int]:
    """Return the number of rows and of `execute` calls so far."""
    statistics = client.get_inference_statistics(model).model_stats[0]
    return statistics.inference_count, statistics.execution_count


@pytest.mark.parametrize("name", ELEMENT_TYPES)
def test_element_type_round_trips_as_the_only_requested_output(client: InferenceServerClient, name: str) -> None:
    inputs = {f"{each}_IN": array for each, (_, array) in ELEMENT_TYPES.items()}

    outputs = infer(client, "types", inputs, outputs=[name])

    assert list(outputs) == [name]
    assert outputs[name].dtype == inputs[f"{name}_IN"].dtype
    np.testing.assert_array_equal(outputs[name], inputs[f"{name}_IN"])


def test_string_that_is_not_utf8_fails_its_request(client: InferenceServerClient) -> None:
    inputs = {f"{each}_IN": array for each, (_, array) in ELEMENT_TYPES.items()}
    inputs["BYTES_IN"] = np.array([[b"ok", b"\xff"]], np.object_)

    with pytest.raises(InferenceServerException, match=r"model 'types' failed .* can't decode byte 0xff") as caught:
        infer(client, "types", inputs)
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"


def test_concurrent_requests_share_one_call(client: InferenceServerClient) -> None:
    inputs = [row(i, i + 0.5, -i) for i in range(4)]
    rows_before, calls_before = counts(client, "batching")

    results = infer_concurrently(client, "batching", inputs)

    for array, result in zip(inputs, results, strict=True):
        np.testing.assert_array_equal(result.result()["Y"], -array)
    # Triton counts after it has answered.
    wait_until(lambda: counts(client, "batching")[0] >= rows_before + 4)
    assert counts(client, "batching") == (rows_before + 4, calls_before + 1)


def test_invalid_request_fails_alone_in_a_batch(client: InferenceServerClient) -> None:
    results = infer_concurrently(client, "lookup", [np.array([[index]]) for index in (0, 7, 1, 2)])

    assert [results[i].result()["Y"].item() for i in (0, 2, 3)] == [10, 20, 30]
    error = results[1].exception()
    assert isinstance(error, InferenceServerException)
    assert error.status() == "StatusCode.INVALID_ARGUMENT"
    assert error.message().startswith("model 'lookup' failed on inputs X [1, 1]: ")
    assert "idx=7" in error.message()
    assert "/" not in error.message(), "no paths"
    wait_until(lambda: counts(client, "lookup")[1])
    assert counts(client, "lookup")[1] == 1, "one call"


@pytest.mark.parametrize("model", ["tuned", "renamed"])
def test_model_with_parameters_or_another_filename_answers(client: InferenceServerClient, model: str) -> None:
    np.testing.assert_array_equal(infer(client, model, {"X": row(1, 2, 3)})["Y"], row(-1, -2, -3))


def test_model_without_batching_answers(client: InferenceServerClient) -> None:
    table = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(infer(client, "unbatched", {"X": table})["Y"], -table)


def test_each_version_runs_its_own_file(client: InferenceServerClient) -> None:
    assert infer(client, "versioned", {"X": row(1, 2, 3)}, version="1")["Y"].tolist() == [[-1, -2, -3]]
    assert infer(client, "versioned", {"X": row(1, 2, 3)}, version="2")["Y"].tolist() == [[1, 2, 3]]


def test_scalar_is_a_tensor_of_one_element(client: InferenceServerClient) -> None:
    assert infer(client, "scalar", {"X": np.array([2], np.float32)})["Y"].tolist() == [-2]
    assert infer(client, "column", {"X": np.array([[1], [2]], np.float32)})["Y"].tolist() == [[-1], [-2]]


def test_optional_input_may_be_omitted(client: InferenceServerClient) -> None:
    one = np.array([1], np.float32)
    assert infer(client, "optional", {"X": one})["Y"].tolist() == [101]
    assert infer(client, "optional", {"X": one, "OFFSET": one})["Y"].tolist() == [2]


def test_output_with_another_number_of_rows_fails(client: InferenceServerClient) -> None:
    table = np.array([[1, 2, 3], [0, 0, 0]], np.float32)
    with pytest.raises(InferenceServerException, match=r"output 'Y' has shape \[1, 3\] for a batch of 2"):
        infer(client, "filter", {"X": table})
    np.testing.assert_array_equal(infer(client, "filter", {"X": table[:1]})["Y"], table[:1])


def test_missing_configuration_is_completed_from_the_file(client: InferenceServerClient) -> None:
    config = client.get_model_config("renamed").config
    assert (config.max_batch_size, config.HasField("dynamic_batching")) == (4, True)
    assert [(tensor.name, list(tensor.dims)) for tensor in config.input] == [("X", [3])]
    assert [(tensor.name, list(tensor.dims)) for tensor in config.output] == [("Y", [3])]


def test_completion_keeps_what_is_configured(client: InferenceServerClient) -> None:
    config = client.get_model_config("half").config
    assert config.max_batch_size == 8
    assert [(tensor.name, list(tensor.dims)) for tensor in config.output] == [("Y", [3])]
    assert not client.get_model_config("tuned").config.HasField("dynamic_batching")


def test_failed_run_is_logged_by_the_id_of_its_request_without_values(
    client: InferenceServerClient, server: Server
) -> None:
    tensor = InferInput("X", [1, 1], "INT64").set_data_from_numpy(np.array([[31415]]))
    with pytest.raises(InferenceServerException, match="31415"):
        client.infer("lookup", [tensor], request_id="0a1b-2c")

    def lines() -> list[dict[str, Any]]:
        return [each for each in logged_events(server.log()) if isinstance(each, dict) and each["request"] == "0a1b-2c"]

    wait_until(lambda: bool(lines()))
    (event,) = lines()
    assert (event["source"], event["model"], event["shapes"]) == ("onnxruntime", "lookup", "X [1, 1]")
    assert "31415" not in str(event)
