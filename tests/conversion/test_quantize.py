import re

import numpy as np
import onnx
import pytest

from conversion.parity import run_onnx
from conversion.quantize import to_int8
from genderprep.tensors import PRESENT, PROBABILITIES, WEIGHTS
from training.arrays import Arrays


@pytest.fixture(scope="module")
def int8(fp32: onnx.ModelProto, rows: Arrays) -> onnx.ModelProto:
    return to_int8(fp32, rows, early_weights=8 * 3 * 5 * 5)


def initializers(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    return {tensor.name: tensor for tensor in model.graph.initializer}


def test_quantized_model_keeps_tensors_and_versions(fp32: onnx.ModelProto, int8: onnx.ModelProto) -> None:
    assert list(int8.graph.input) == list(fp32.graph.input)
    assert [output.name for output in int8.graph.output] == [output.name for output in fp32.graph.output]
    assert int8.ir_version <= 10
    assert {entry.domain: entry.version for entry in int8.opset_import}[""] <= 17
    onnx.checker.check_model(int8)


def test_weights_are_s8_per_channel_and_activations_u8(int8: onnx.ModelProto) -> None:
    tensors = initializers(int8)
    (quantized,) = [t for t in tensors.values() if len(t.dims) == 4 and t.data_type == onnx.TensorProto.INT8]
    (dequantize,) = [node for node in int8.graph.node if quantized.name in node.input]
    assert list(quantized.dims) == [16, 8, 3, 3]
    assert list(tensors[dequantize.input[1]].dims) == [16]
    zero_points = {tensors[n.input[2]].data_type for n in int8.graph.node if n.op_type == "QuantizeLinear"}
    assert zero_points == {onnx.TensorProto.UINT8}


def test_quantized_model_is_smaller(fp32: onnx.ModelProto, int8: onnx.ModelProto) -> None:
    assert int8.ByteSize() < fp32.ByteSize()


def test_quantized_outputs_are_close(fp32: onnx.ModelProto, int8: onnx.ModelProto, rows: Arrays) -> None:
    before, after = (run_onnx(model.SerializeToString(), rows) for model in (fp32, int8))
    assert np.abs(before[PROBABILITIES] - after[PROBABILITIES]).max() < 0.03
    assert not after[WEIGHTS][~rows[PRESENT]].any()
    np.testing.assert_allclose(after[PROBABILITIES].sum(axis=1), 1, atol=1e-6)


def test_fusion_gate_and_logit_stay_fp32(int8: onnx.ModelProto) -> None:
    products = [n for n in int8.graph.node if n.op_type in ("MatMul", "Gemm") and re.search("fusion|gender", n.name)]
    dequantized = {output for node in int8.graph.node if node.op_type == "DequantizeLinear" for output in node.output}
    assert len(products) == 3
    assert not dequantized & {node.input[1] for node in products}


@pytest.mark.parametrize(("early_weights", "in_int8"), [(599, 2), (600, 1), (10_000, 0)])
def test_leading_convolutions_stay_fp32(fp32: onnx.ModelProto, rows: Arrays, early_weights: int, in_int8: int) -> None:
    tensors = to_int8(fp32, rows, early_weights).graph.initializer
    assert sum(len(t.dims) == 4 and t.data_type == onnx.TensorProto.INT8 for t in tensors) == in_int8


def test_sums_and_concatenations_stay_fp32(int8: onnx.ModelProto) -> None:
    dequantized = {output for node in int8.graph.node if node.op_type == "DequantizeLinear" for output in node.output}
    joins = [node for node in int8.graph.node if node.op_type in ("Add", "Concat") and "text_tower" not in node.name]
    assert joins
    assert not [n.name for n in joins if all(name in dequantized for name in n.input)]
