import re
from collections import defaultdict

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from conversion.parity import run_onnx
from genderprep.tensors import PRESENT, PROBABILITIES, TOKENS, WEIGHTS
from training.arrays import Arrays


def initializers(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    return {tensor.name: tensor for tensor in model.graph.initializer}


def sources(model: onnx.ModelProto) -> dict[str, onnx.NodeProto]:
    return {output: node for node in model.graph.node for output in node.output}


def test_quantized_model_keeps_tensors_and_versions(fp32: onnx.ModelProto, int8: onnx.ModelProto) -> None:
    assert list(int8.graph.input) == list(fp32.graph.input)
    assert list(int8.graph.output) == list(fp32.graph.output)
    assert int8.ir_version <= 10
    assert {entry.domain: entry.version for entry in int8.opset_import}[""] <= 17
    onnx.checker.check_model(int8)


def test_quantized_model_is_smaller(fp32: onnx.ModelProto, int8: onnx.ModelProto) -> None:
    assert int8.ByteSize() < fp32.ByteSize()


@pytest.mark.parametrize("name", ["", "dense_"])
def test_quantized_outputs_are_close(name: str, rows: Arrays, request: pytest.FixtureRequest) -> None:
    models = [request.getfixturevalue(f"{name}{kind}") for kind in ("fp32", "int8")]
    before, after = (run_onnx(model.SerializeToString(), rows) for model in models)
    assert np.abs(before[PROBABILITIES] - after[PROBABILITIES]).max() < 0.01
    assert not after[WEIGHTS][~rows[PRESENT]].any()
    np.testing.assert_allclose(after[PROBABILITIES].sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("name", ["int8", "dense_int8"])
def test_image_tower_is_stored_in_8_bits_throughout(name: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(name)
    source, tensors = sources(model), initializers(model)
    nodes = [node for node in model.graph.node if node.name.startswith("image_tower/")]
    products = [node for node in nodes if node.op_type in ("Conv", "Gemm")]
    for node in products:
        pixels_or_levels, weights, bias = (source[name] for name in node.input)
        assert {pixels_or_levels.op_type, weights.op_type, bias.op_type} == {"DequantizeLinear"}
        assert tensors[weights.input[0]].data_type == onnx.TensorProto.INT8
        assert tensors[bias.input[0]].data_type == onnx.TensorProto.INT32
    assert len(products) >= 3
    # Rectifiers are the limits of 8 bits, and nothing normalizes the pixels.
    assert not [node.name for node in nodes if node.op_type in ("Relu", "Clip", "Mul", "Pad", "Cast")]


def test_weights_have_a_scale_per_channel(int8: onnx.ModelProto) -> None:
    tensors, source = initializers(int8), sources(int8)
    for node in int8.graph.node:
        if node.op_type == "Conv" and node.name.startswith("image_tower/"):
            weights = source[node.input[1]]
            assert list(tensors[weights.input[1]].dims) == [tensors[weights.input[0]].dims[0]]


def test_concatenations_move_levels_without_requantizing(dense_int8: onnx.ModelProto) -> None:
    source, tensors = sources(dense_int8), initializers(dense_int8)
    readers = defaultdict(list)
    for node in dense_int8.graph.node:
        for name in node.input:
            readers[name].append(node)
    joins = [n for n in dense_int8.graph.node if n.op_type == "Concat" and n.name.startswith("image_tower/")]
    assert len(joins) == 4
    for join in joins:
        assert {source[name].op_type for name in join.input} <= {"QuantizeLinear", "Concat"}
        parts = [source[name] for name in join.input if source[name].op_type == "QuantizeLinear"]
        decoders = [node for node in readers[join.output[0]] if node.op_type == "DequantizeLinear"]
        scales = {numpy_helper.to_array(tensors[node.input[1]]).item() for node in [*parts, *decoders]}
        assert len(scales) == 1


def test_text_tower_fusion_and_calibration_stay_float(int8: onnx.ModelProto) -> None:
    nodes = [node for node in int8.graph.node if re.match("text_tower|fusion|head|gender|calibration", node.name)]
    assert len(nodes) > 20
    assert not [node.name for node in nodes if node.op_type in ("QuantizeLinear", "DequantizeLinear")]


def test_tokens_are_cut_to_the_longest_row(int8: onnx.ModelProto, rows: Arrays) -> None:
    """Padding changes nothing, in a batch or alone."""
    lengths = (rows[TOKENS] != 0).sum(axis=1)
    shortest, longest = lengths.argmin(), lengths.argmax()
    assert lengths[shortest] < lengths[longest]
    pair = {name: array[[shortest, longest]] for name, array in rows.items()}
    together = run_onnx(int8.SerializeToString(), pair)
    for place in (0, 1):
        alone = run_onnx(int8.SerializeToString(), {name: array[[place]] for name, array in pair.items()})
        np.testing.assert_allclose(alone[PROBABILITIES][0], together[PROBABILITIES][place], atol=1e-6)


def test_rows_of_padding_alone_are_answered(int8: onnx.ModelProto, rows: Arrays) -> None:
    """Triton warms the model up with zeros."""
    zeros = {name: np.zeros_like(array[:2]) for name, array in rows.items()}
    assert run_onnx(int8.SerializeToString(), zeros)[PROBABILITIES].shape == (2, 2)
