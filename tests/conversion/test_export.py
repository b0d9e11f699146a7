"""Keras to ONNX: the contract's names, an old enough file, the same answers, metadata."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest

from conversion.export import read_metadata, stamp, to_onnx
from conversion.parity import NotEqual, answer, check_parity
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

Rows = dict[str, Any]


def tensors(values: Any) -> dict[str, tuple[int, list[int]]]:
    """Types and dims without the batch dimension, which must be free."""
    found = {}
    for value in values:
        batch, *dims = value.type.tensor_type.shape.dim
        assert not batch.dim_value
        found[value.name] = (value.type.tensor_type.elem_type, [dim.dim_value for dim in dims])
    return found


def test_tensors_are_those_of_the_contract(fp32: onnx.ModelProto) -> None:
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


def test_older_runtimes_can_load_it(fp32: onnx.ModelProto) -> None:
    assert fp32.ir_version <= 10
    assert {entry.domain: entry.version for entry in fp32.opset_import}[""] <= 17
    assert {node.domain for node in fp32.graph.node} <= {"", "ai.onnx"}


def test_onnx_answers_like_keras(serving: keras.Model, fp32: onnx.ModelProto, rows: Rows) -> None:
    expected = serving.predict(rows, verbose=0)
    found = answer(fp32.SerializeToString(), rows)
    assert check_parity(expected, found) <= 1e-4
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, atol=1e-4)


def test_what_is_missing_weighs_nothing(fp32: onnx.ModelProto, rows: Rows) -> None:
    found = answer(fp32.SerializeToString(), rows)
    present = rows[PRESENT]
    assert not found[WEIGHTS][~present].any()
    np.testing.assert_allclose(found[WEIGHTS].sum(axis=1), present.any(axis=1), atol=1e-6)
    nothing = ~present.any(axis=1)
    assert nothing.any()
    np.testing.assert_allclose(found[PROBABILITIES][nothing, 1], 0.6, atol=1e-6)


def test_answers_do_not_depend_on_the_batch(fp32: onnx.ModelProto, rows: Rows) -> None:
    whole, one_by_one = (answer(fp32.SerializeToString(), rows, batch) for batch in (40, 1))
    for name, array in whole.items():
        np.testing.assert_allclose(one_by_one[name], array, atol=1e-5)


@pytest.mark.parametrize("difference", [2e-4, -2e-4, np.nan])
def test_parity_refuses_another_answer(fp32: onnx.ModelProto, rows: Rows, difference: float) -> None:
    expected = answer(fp32.SerializeToString(), rows)
    changed = {name: array.copy() for name, array in expected.items()}
    changed[PROBABILITIES][7, 1] += difference
    assert check_parity(expected, expected) == 0
    with pytest.raises(NotEqual, match=r"probabilities differ by (2\.00e-04|nan), at most 1e-04 is allowed"):
        check_parity(expected, changed)
    assert difference != difference or check_parity(expected, changed, limit=1e-3) > 1e-4


def test_metadata_is_written_and_read(fp32: onnx.ModelProto, tmp_path: Path) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(fp32)
    stamp(model, {"prep_digest": "old", "backbone": "small"})
    stamp(model, {"prep_digest": "new"})
    onnx.save(model, tmp_path / "model.onnx")
    assert read_metadata(tmp_path / "model.onnx") == {"prep_digest": "new", "backbone": "small"}


def test_a_model_of_other_tensors_keeps_its_names_too() -> None:
    inputs = {"B": keras.Input((3,), name="B"), "A": keras.Input((3,), name="A")}
    outputs = {"Z": inputs["A"] - inputs["B"], "Y": inputs["A"] + inputs["B"]}
    converted = to_onnx(keras.Model(inputs, outputs))
    rows = {"A": np.full((1, 3), 5, np.float32), "B": np.full((1, 3), 2, np.float32)}
    found = answer(converted.SerializeToString(), rows)
    assert {name: array.tolist() for name, array in found.items()} == {"Y": [[7.0] * 3], "Z": [[3.0] * 3]}
