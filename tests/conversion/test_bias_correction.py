import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from conversion.bias_correction import correct_biases, rounding_error
from conversion.parity import run_onnx

Array = NDArray[np.float32]
WEIGHTS: Array = np.array([[0.127, 0.0504, -0.0296], [12.7, 3.04, 0.0]], np.float32).reshape(2, 3, 1, 1)


def convolution(weights: Array, bias: Array | None = None) -> onnx.ModelProto:
    names = ["X", "W"] + (["B"] if bias is not None else [])
    tensors = [numpy_helper.from_array(weights, "W")]
    tensors += [numpy_helper.from_array(bias, "B")] if bias is not None else []
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Conv", names, ["Y"], name="conv")],
        "one convolution",
        [value("X", TensorProto.FLOAT, [None, 3, 4, 4])],
        [value("Y", TensorProto.FLOAT, [None, 2, 4, 4])],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def bias_of(model: onnx.ModelProto) -> Array:
    (node,) = model.graph.node
    return next(numpy_helper.to_array(t) for t in model.graph.initializer if t.name == node.input[2])


def test_rounding_error_has_one_scale_per_channel() -> None:
    # Scales 0.001 and 0.1: 50.4 and -29.6 steps, 30.4 steps.
    expected = [[0, 0.0004, 0.0004], [0, 0.04, 0]]
    np.testing.assert_allclose(rounding_error(WEIGHTS).reshape(2, 3), expected, atol=1e-6)


def test_rounding_error_of_zero_channel_is_zero() -> None:
    assert not rounding_error(np.zeros((1, 2, 3, 3), np.float32)).any()


@pytest.mark.parametrize("bias", [None, np.array([1, -2], np.float32)])
def test_correction_is_exact_for_constant_input(bias: Array | None) -> None:
    rows = {"X": np.full((4, 3, 4, 4), 5, np.float32)}
    model = convolution(WEIGHTS, bias)
    corrected = correct_biases(model, [rows], excluded=())
    rounded = convolution(WEIGHTS - rounding_error(WEIGHTS), bias_of(corrected))
    before, after = (run_onnx(m.SerializeToString(), rows)["Y"] for m in (model, rounded))
    np.testing.assert_allclose(after, before, rtol=1e-5)
    assert len(corrected.graph.initializer) == 2


def test_correction_averages_all_batches() -> None:
    batches = [{"X": np.full((1, 3, 4, 4), level, np.float32)} for level in (2, 6)]
    corrected = correct_biases(convolution(WEIGHTS), batches, excluded=())
    np.testing.assert_allclose(bias_of(corrected), [4 * 0.0008, 4 * 0.04], rtol=1e-3)


def test_excluded_convolution_and_input_model_are_unchanged() -> None:
    model = convolution(WEIGHTS)
    before = model.SerializeToString()
    rows = {"X": np.ones((1, 3, 4, 4), np.float32)}
    assert correct_biases(model, [rows], excluded=["conv"]).SerializeToString() == before
    correct_biases(model, [rows], excluded=())
    assert model.SerializeToString() == before
