from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest

from conversion.errors import ConversionError
from conversion.export import read_metadata, set_calibration, stamp, to_onnx
from conversion.parity import check_parity, run_onnx
from genderprep.tensors import (
    EMBEDDING,
    EMBEDDING_SIZE,
    IMAGE,
    IMAGE_SIZE,
    MAX_TOKENS,
    PRESENT,
    PROBABILITIES,
    TOKENS,
    WEIGHTS,
)
from training.arrays import Arrays


def tensors(values: Any) -> dict[str, tuple[int, list[int]]]:
    """Return type and dims of each tensor without the batch dimension, which must be dynamic."""
    signature = {}
    for value in values:
        batch, *dims = value.type.tensor_type.shape.dim
        assert not batch.dim_value
        signature[value.name] = (value.type.tensor_type.elem_type, [dim.dim_value for dim in dims])
    return signature


def test_exported_tensors_follow_contract(fp32: onnx.ModelProto) -> None:
    assert tensors(fp32.graph.input) == {
        IMAGE: (onnx.TensorProto.UINT8, [IMAGE_SIZE, IMAGE_SIZE, 3]),
        TOKENS: (onnx.TensorProto.INT32, [MAX_TOKENS]),
        PRESENT: (onnx.TensorProto.BOOL, [2]),
    }
    assert tensors(fp32.graph.output) == {
        PROBABILITIES: (onnx.TensorProto.FLOAT, [2]),
        WEIGHTS: (onnx.TensorProto.FLOAT, [2]),
        EMBEDDING: (onnx.TensorProto.FLOAT, [EMBEDDING_SIZE]),
    }


def test_exported_model_loads_in_older_runtimes(fp32: onnx.ModelProto) -> None:
    assert fp32.ir_version <= 10
    assert {entry.domain: entry.version for entry in fp32.opset_import}[""] <= 17
    assert {node.domain for node in fp32.graph.node} == {"", "com.microsoft"}


def test_no_node_computes_shapes(fp32: onnx.ModelProto) -> None:
    assert not {"Shape", "Size", "Reshape", "Expand", "ConstantOfShape"} & {node.op_type for node in fp32.graph.node}


def test_set_calibration_replaces_the_lines_of_each_presence_pattern(fp32: onnx.ModelProto, rows: Arrays) -> None:
    changed = onnx.ModelProto()
    changed.CopyFrom(fp32)
    # By 2 · avatar + nickname; a slope of 0 leaves the offset alone.
    set_calibration(changed, [[0, -2], [0, -1], [0, 1], [0, 2]])
    outputs = run_onnx(changed.SerializeToString(), rows)
    offsets = np.array([-2, -1, 1, 2])[rows[PRESENT] @ [2, 1]]
    np.testing.assert_allclose(outputs[PROBABILITIES][:, 1], 1 / (1 + np.exp(-offsets)), atol=1e-6)
    with pytest.raises(ConversionError, match=r"expected a model with a calibration of shape \(3, 2\)"):
        set_calibration(changed, np.zeros((3, 2)))


def test_onnx_outputs_equal_keras(serving: keras.Model, fp32: onnx.ModelProto, rows: Arrays) -> None:
    expected = serving.predict(rows, verbose=0)
    outputs = run_onnx(fp32.SerializeToString(), rows)
    assert check_parity(expected, outputs, PROBABILITIES) <= 1e-4
    for name, array in expected.items():
        np.testing.assert_allclose(outputs[name], array, atol=1e-4)


def test_missing_modality_has_zero_weight(fp32: onnx.ModelProto, rows: Arrays) -> None:
    outputs = run_onnx(fp32.SerializeToString(), rows)
    present = rows[PRESENT]
    assert not outputs[WEIGHTS][~present].any()
    np.testing.assert_allclose(outputs[WEIGHTS].sum(axis=1), present.any(axis=1), atol=1e-6)
    empty = ~present.any(axis=1)
    assert empty.any()
    np.testing.assert_allclose(outputs[PROBABILITIES][empty, 1], 0.6, atol=1e-6)


def test_outputs_do_not_depend_on_batch(fp32: onnx.ModelProto, rows: Arrays) -> None:
    whole, one_by_one = (run_onnx(fp32.SerializeToString(), rows, batch) for batch in (40, 1))
    for name, array in whole.items():
        np.testing.assert_allclose(one_by_one[name], array, atol=1e-5)


@pytest.mark.parametrize("difference", [2e-4, -2e-4, np.nan])
def test_parity_check_rejects_deviation(fp32: onnx.ModelProto, rows: Arrays, difference: float) -> None:
    expected = run_onnx(fp32.SerializeToString(), rows)
    changed = {name: array.copy() for name, array in expected.items()}
    changed[PROBABILITIES][7, 1] += difference
    assert check_parity(expected, expected, PROBABILITIES, WEIGHTS) == 0
    assert check_parity(expected, changed, WEIGHTS) == 0
    with pytest.raises(ConversionError, match=r"that differ by at most 1e-04, got (2\.00e-04|nan)"):
        check_parity(expected, changed, WEIGHTS, PROBABILITIES)


def test_stamp_merges_metadata(fp32: onnx.ModelProto, tmp_path: Path) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(fp32)
    stamp(model, {"prep_digest": "old", "backbone": "small"})
    stamp(model, {"prep_digest": "new"})
    onnx.save(model, tmp_path / "model.onnx")
    assert read_metadata(tmp_path / "model.onnx") == {"prep_digest": "new", "backbone": "small"}


def test_export_keeps_names_of_any_model() -> None:
    inputs = {"B": keras.Input((3,), name="B"), "A": keras.Input((3,), name="A")}
    outputs = {"Z": keras.layers.Add()([inputs["A"], inputs["B"]]), "Y": keras.layers.ReLU()(inputs["A"])}
    converted = to_onnx(keras.Model(inputs, outputs))
    rows = {"A": np.full((1, 3), 5, np.float32), "B": np.full((1, 3), 2, np.float32)}
    outputs = run_onnx(converted.SerializeToString(), rows)
    assert {name: array.tolist() for name, array in outputs.items()} == {"Y": [[5.0] * 3], "Z": [[7.0] * 3]}


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (keras.layers.Softmax(name="shares"), "no ONNX form of layer shares, a Softmax; write one with @writes"),
        (keras.layers.Dense(2, "tanh", name="dense"), "expected a linear or relu activation, got tanh in dense"),
    ],
)
def test_unknown_layer_is_rejected(layer: keras.layers.Layer, message: str) -> None:
    x = keras.Input((3,), name="X")
    with pytest.raises(ConversionError, match=message):
        to_onnx(keras.Model({"X": x}, {"Y": layer(x)}))
