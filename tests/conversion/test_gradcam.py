"""Grad-CAM in the graph equals the gradients of Keras, and the shipped files explain the served models."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from keras import ops

from conversion.errors import ConversionError
from conversion.export import read_metadata
from conversion.gradcam import EXPLAINS, HEAT, LOGIT, Head, gradcam_model, publish, render
from genderprep.tensors import EMBEDDING, EMBEDDING_SIZE, IMAGE, IMAGE_SIZE, MAX_TOKENS, PRESENT, TOKENS
from server.catalog import Catalog
from tests.support.tritonserver import ROOT
from training.arrays import Arrays, FloatsN1, FloatsNHW, FloatsNHWC, ImagesNSS3
from training.evaluation.gradcam import grad_cam

EXPLAIN = ROOT / "explain_repository"
SERVED = Catalog(ROOT / "model_repository")
EXPLAINED = Catalog(EXPLAIN, ROOT / "model_repository")


@pytest.fixture(scope="module")
def head() -> Head:
    rng = np.random.default_rng(5)
    return rng.normal(size=(EMBEDDING_SIZE, 1)).astype(np.float32), np.array([0.3], np.float32)


def run(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    feed = {each.name: inputs[each.name] for each in session.get_inputs()}
    return dict(zip(names, session.run(names, feed), strict=True))


def by_keras(serving: keras.Model, head: Head, images: ImagesNSS3) -> tuple[FloatsNHW, FloatsN1]:
    """Heat of |logit| by automatic differentiation, and the logit."""
    tower = serving.get_layer("image_tower")
    *_, normalization, network = tower.get_layer("trunk").layers
    average = network.layers[-1]
    prepare = keras.Model(tower.get_layer("trunk").input, normalization.output)
    maps = keras.Model(network.input, average.input).predict(prepare.predict(images, verbose=0), verbose=0)

    def logit(maps: FloatsNHWC) -> Any:
        return ops.matmul(tower.get_layer("projection")(average(maps)), head[0]) + head[1]

    return grad_cam(lambda maps: ops.abs(logit(maps)), maps), ops.convert_to_numpy(logit(maps))


def test_graph_equals_gradients_of_keras(serving: keras.Model, fp32: onnx.ModelProto, head: Head, rows: Arrays) -> None:
    heat, logit = by_keras(serving, head, rows[IMAGE])
    assert {True, False} == {*(logit > 0).ravel().tolist()}
    shown = rows[PRESENT][:, 0]
    got = run(gradcam_model(fp32, head), rows)
    np.testing.assert_allclose(got[HEAT][shown], heat[shown], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(got[LOGIT][shown], logit[shown], rtol=1e-3, atol=1e-4)
    assert heat[shown].any(axis=(1, 2)).all()


def test_missing_avatar_has_no_heat(int8: onnx.ModelProto, head: Head, rows: Arrays) -> None:
    got = run(gradcam_model(int8, head), rows)
    missing = ~rows[PRESENT][:, 0]
    assert missing.any()
    assert not got[HEAT][missing].any()
    assert not got[LOGIT][missing].any()


def test_graph_has_neither_text_tower_nor_fusion(int8: onnx.ModelProto, head: Head) -> None:
    model = gradcam_model(int8, head)
    assert {value.name for value in model.graph.input} == {IMAGE, PRESENT}
    assert {node.name.split("/")[0] for node in model.graph.node} == {"image_tower", "gradcam", HEAT, LOGIT}
    assert model.ByteSize() < int8.ByteSize()


@pytest.mark.parametrize("backbone", SERVED.backbones())
def test_shipped_model_explains_the_served_one(backbone: str) -> None:
    ensemble = EXPLAINED.ensemble(backbone, role="explain")
    assert ensemble.steps[f"gradcam_{backbone}"] == SERVED.served_version(backbone)
    assert ensemble.steps["preprocess"] == SERVED.ensemble(backbone).steps["preprocess"]
    file = EXPLAIN / f"gradcam_{backbone}" / str(SERVED.served_version(backbone)) / "model.onnx"
    assert read_metadata(file)[EXPLAINS] == sha256(SERVED.served_onnx(backbone).read_bytes()).hexdigest()


def test_run_of_another_version_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(json.dumps({"date": "2020-01-01T00:00:00+00:00"}))
    with pytest.raises(ConversionError, match=r"was published from, of 20\d\d-.*, got one of 2020-01-01T"):
        publish(tmp_path, "mobilenet", ROOT / "model_repository", tmp_path / "explain")
    assert not (tmp_path / "explain").exists()


@pytest.mark.parametrize("backbone", SERVED.backbones())
def test_configurations_come_from_the_templates(backbone: str) -> None:
    steps = EXPLAINED.ensemble(backbone, role="explain").steps
    dims = EXPLAINED.model(f"gradcam_{backbone}").config.output[0].dims
    for folder, text in render(backbone, steps[f"gradcam_{backbone}"], tuple(dims), steps["preprocess"]).items():
        assert (EXPLAIN / folder / "config.pbtxt").read_text(encoding="utf-8") == text


def test_shipped_logit_is_a_logit_of_the_served_features() -> None:
    """With an avatar alone, the served embedding is the tower's feature, to which the head is applied."""
    images = np.random.default_rng(0).integers(0, 256, (3, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    alone: Arrays = {
        IMAGE: images,
        TOKENS: np.zeros((3, MAX_TOKENS), np.int32),
        PRESENT: np.tile([[True, False]], (3, 1)),
    }
    backbone = onnx.load(SERVED.served_onnx("mobilenet"))
    explained = onnx.load(EXPLAIN / "gradcam_mobilenet" / str(SERVED.served_version("mobilenet")) / "model.onnx")
    kernel, bias = (
        onnx.numpy_helper.to_array(each)
        for name in ("gradcam/logit/constant_1", "gradcam/logit/constant_2")
        for each in explained.graph.initializer
        if each.name == name
    )
    features = run(backbone, alone)[EMBEDDING]
    np.testing.assert_allclose(run(explained, alone)[LOGIT], features @ kernel + bias, atol=1e-4)
