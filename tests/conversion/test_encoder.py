"""A small dual encoder, as Keras, ONNX and int8."""

import keras
import numpy as np
import onnx
import pandas as pd
import pytest

from conversion.encoder_gate import check_int8, compare_with_served
from conversion.encoder_model import serving_model
from conversion.errors import ConversionError
from conversion.export import to_onnx
from conversion.parity import check_parity, run_onnx
from conversion.quantize import to_int8
from genderprep.tensors import IMAGE, IMAGE_SIZE, PRESENT, TOKENS
from picturegallery.tensors import TITLE_VECTOR, VECTOR
from training.arrays import Arrays
from training.pretrain.dual_encoder import build_picture_tower, build_title_tower
from training.pretrain.encoder import build_encoder
from training.pretrain.whitening import Whitening

DIMS = 8


def build(gate: str) -> keras.Model:
    """Return the serving model of an untrained encoder of 64 pixels."""
    keras.utils.set_random_seed(4)
    pictures = build_picture_tower(build_encoder(0.35, 64), DIMS)
    titles = build_title_tower(size=16, layers=1, heads=2, dims=DIMS, gate=gate)
    inputs = [keras.Input(tower.input.shape[1:], dtype=tower.input.dtype) for tower in (pictures, titles)]
    trained = keras.Model(inputs, [pictures(inputs[0]), titles(inputs[1])])
    rng = np.random.default_rng(0)
    return serving_model(trained, Whitening.fit(rng.normal(0.1, 1, (50, DIMS))))


@pytest.fixture(scope="module")
def serving() -> keras.Model:
    return build("topk_softmax")


@pytest.fixture(scope="module")
def fp32(serving: keras.Model) -> onnx.ModelProto:
    return to_onnx(serving)


def test_onnx_equals_keras(serving: keras.Model, fp32: onnx.ModelProto, rows: Arrays) -> None:
    actual = run_onnx(fp32.SerializeToString(), rows)
    assert check_parity(serving.predict(rows, verbose=0), actual, VECTOR, TITLE_VECTOR) < 1e-5


def test_onnx_equals_keras_for_titles_alone_in_their_batch(
    serving: keras.Model, fp32: onnx.ModelProto, rows: Arrays
) -> None:
    for row in range(6):
        one = {name: array[row : row + 1] for name, array in rows.items()}
        check_parity(serving.predict(one, verbose=0), run_onnx(fp32.SerializeToString(), one), VECTOR, TITLE_VECTOR)


def test_gate_of_the_article_is_exported(rows: Arrays) -> None:
    model = build("article")
    actual = run_onnx(to_onnx(model).SerializeToString(), rows)
    check_parity(model.predict(rows, verbose=0), actual, VECTOR, TITLE_VECTOR)


def test_missing_inputs_have_zero_vectors(fp32: onnx.ModelProto, rows: Arrays) -> None:
    outputs = run_onnx(fp32.SerializeToString(), rows)
    for name, present in zip((VECTOR, TITLE_VECTOR), rows[PRESENT].T, strict=True):
        np.testing.assert_allclose(np.linalg.norm(outputs[name], axis=1), present, atol=1e-5)


def test_means_of_pixels_are_part_of_the_first_convolution(fp32: onnx.ModelProto, rows: Arrays) -> None:
    (first,) = (node for node in fp32.graph.node if node.name.endswith("/Conv1"))
    (weights,) = (each for each in fp32.graph.initializer if each.name == first.input[1])
    assert list(weights.dims)[2:] == [6, 6]
    # A picture and its means have the same vector.
    blocks = rows[IMAGE].reshape(-1, IMAGE_SIZE // 2, 2, IMAGE_SIZE // 2, 2, 3)
    means = np.rint(blocks.mean(axis=(2, 4))).astype(np.uint8).repeat(2, axis=1).repeat(2, axis=2)
    vectors, of_means = (
        run_onnx(fp32.SerializeToString(), rows | {IMAGE: each})[VECTOR] for each in (rows[IMAGE], means)
    )
    np.testing.assert_allclose(vectors, of_means, atol=0.02)


def test_int8_reads_the_same_tensors(fp32: onnx.ModelProto, rows: Arrays) -> None:
    int8 = to_int8(fp32, rows)
    assert int8.graph.input == fp32.graph.input
    assert {node.op_type for node in int8.graph.node} >= {"QuantizeLinear", "DequantizeLinear"}
    before, after = (run_onnx(each.SerializeToString(), rows)[TITLE_VECTOR] for each in (fp32, int8))
    np.testing.assert_allclose(before, after, atol=1e-2)


def test_gate_refuses_vectors_of_other_neighbors() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(4), 20)
    vectors = np.eye(DIMS)[labels] + rng.normal(0, 0.1, (80, DIMS))
    good = {VECTOR: vectors / np.linalg.norm(vectors, axis=1, keepdims=True)}
    table = pd.DataFrame({"theme": labels.astype(str)})
    assert check_int8(good, good, table)["consistency"]["theme"] == {"fp32": 1.0, "int8": 1.0}
    with pytest.raises(ConversionError, match=r"mean cosine of .*, got 0\.\d+ and theme 0\.\d+"):
        check_int8(good, {VECTOR: good[VECTOR][rng.permutation(80)]}, table)


def test_worse_neighbors_are_regressions() -> None:
    rng = np.random.default_rng(2)
    cards = np.repeat(np.arange(40), 2)
    table = pd.DataFrame({"card": cards, "theme": (cards % 4).astype(str)})
    by_theme, by_card = (np.eye(40)[each] + rng.normal(0, 0.05, (80, 40)) for each in (cards % 4, cards))
    better = compare_with_served(by_theme, by_theme, table)
    assert better["served"] == better["new"]
    assert better["new"]["theme@10"] == 1.0
    assert better["regressions"] == []
    worse = compare_with_served(by_card, by_theme, table)
    assert worse["served"]["recall@1"] == 1.0
    (fault,) = worse["regressions"]
    assert fault.startswith("recall@1 0.")
    assert fault.endswith("against 1.000 (tolerance 0.02)")


def test_tokens_are_the_inputs_of_titles(fp32: onnx.ModelProto) -> None:
    assert [value.name for value in fp32.graph.input] == [IMAGE, TOKENS, PRESENT]
