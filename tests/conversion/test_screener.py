"""The two networks of a small screener, as Keras, ONNX and int8, and their verdict."""

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from scipy.special import expit

from conversion.errors import ConversionError
from conversion.export import stamp, to_onnx
from conversion.parity import check_parity, run_onnx
from conversion.publish_screener import convert
from conversion.screener_gate import check_int8, measure, regressions
from conversion.screener_limits import tune_limits
from conversion.screener_model import (
    ATTRIBUTES,
    FIRST,
    NEVER,
    REFUSED,
    SCORES,
    SECOND,
    SUITABLE,
    Limits,
    serving_model,
    with_verdict,
)
from conversion.screening import ATTRIBUTES_KEY, LIMITS_KEY, Screener
from genderprep import prep_digest
from genderprep.tensors import IMAGE, PRESENT
from training.arrays import Arrays
from training.curation.multitask import build_network, with_heads
from training.curation.network import Trunk
from training.curation.pretrained import build_mobilenet
from training.engine.batch_norm import estimate_batch_norm
from training.evaluation.gradcam import grad_cam

NAMES = ["blurred", "illustration", "unsuitable"]


@pytest.fixture(scope="module")
def networks() -> tuple[keras.Model, keras.Model]:
    keras.utils.set_random_seed(5)
    return build_network(Trunk(width=4), len(NAMES)), build_network(Trunk(width=8, cbam=True), 1)


@pytest.fixture(scope="module")
def serving(networks: tuple[keras.Model, keras.Model]) -> keras.Model:
    return serving_model(*networks)


@pytest.fixture(scope="module")
def fp32(serving: keras.Model) -> onnx.ModelProto:
    return to_onnx(serving)


@pytest.fixture(scope="module")
def limits(fp32: onnx.ModelProto, rows: Arrays) -> Limits:
    """Limits that about half of the pictures reach."""
    logits = run_onnx(fp32.SerializeToString(), {IMAGE: rows[IMAGE]})
    middle = np.median(expit(logits[FIRST]), axis=0)
    second = float(np.median(expit(logits[SECOND])))
    return Limits({"blurred": float(middle[0]) + 1e-4, "unsuitable": float(middle[2]) + 1e-4}, second + 1e-4)


@pytest.fixture(scope="module")
def file(fp32: onnx.ModelProto, limits: Limits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = with_verdict(fp32, NAMES, limits)
    stated = {ATTRIBUTES_KEY: json.dumps(NAMES), LIMITS_KEY: json.dumps(asdict(limits))}
    stamp(model, {"prep_digest": prep_digest(), **stated})
    onnx.save(model, path := tmp_path_factory.mktemp("screener") / "model.onnx")
    return path


def served(file: Path, rows: Arrays) -> Arrays:
    return run_onnx(str(file), {name: rows[name] for name in (IMAGE, PRESENT)})


def test_onnx_equals_keras_and_the_networks(
    networks: tuple[keras.Model, keras.Model], serving: keras.Model, fp32: onnx.ModelProto, rows: Arrays
) -> None:
    inputs = {IMAGE: rows[IMAGE]}
    logits = run_onnx(fp32.SerializeToString(), inputs)
    assert check_parity(serving.predict(inputs, verbose=0), logits, FIRST, SECOND) < 1e-5
    blocks = rows[IMAGE].reshape(len(rows[IMAGE]), 64, 2, 64, 2, 3).mean(axis=(2, 4), dtype=np.float32)
    for network, name in zip(networks, (FIRST, SECOND), strict=True):
        np.testing.assert_allclose(network.predict(blocks, verbose=0), logits[name], atol=1e-4)


def test_mobilenet_is_exported(rows: Arrays) -> None:
    keras.utils.set_random_seed(6)
    networks = [with_heads(build_mobilenet(width=0.35), heads) for heads in (len(NAMES), 1)]
    for network in networks:
        estimate_batch_norm(network, [rows[IMAGE][:8, ::2, ::2].astype("float32")])
    fp32, int8, parity = convert(serving_model(*networks), rows[IMAGE][:8])
    assert parity < 1e-5
    before, after = (run_onnx(each.SerializeToString(), {IMAGE: rows[IMAGE][:8]}) for each in (fp32, int8))
    for name in (FIRST, SECOND):
        assert before[name].std() > 0.01
        np.testing.assert_allclose(expit(before[name]), expit(after[name]), atol=0.05)


def test_int8_decides_nearly_as_fp32(serving: keras.Model, rows: Arrays) -> None:
    fp32, int8, parity = convert(serving, rows[IMAGE])
    assert parity < 1e-5
    assert {node.op_type for node in int8.graph.node} >= {"QuantizeLinear", "DequantizeLinear"}
    before, after = (run_onnx(each.SerializeToString(), {IMAGE: rows[IMAGE]}) for each in (fp32, int8))
    for name in (FIRST, SECOND):
        np.testing.assert_allclose(expit(before[name]), expit(after[name]), atol=0.05)


def test_both_networks_must_find_what_is_cascaded(limits: Limits) -> None:
    low, high = 0.0, 1.0
    first = np.array([[low, high, low], [low, high, low], [low, low, high], [low, low, high], [high, low, low]])
    second = np.array([[low], [high], [low], [high], [low]])
    assert limits.refused(NAMES, first, second).tolist() == [
        [False, False, False],
        [False, False, False],
        [False, False, False],
        [False, False, True],
        [True, False, False],
    ]


def test_verdict_follows_the_limits(file: Path, fp32: onnx.ModelProto, limits: Limits, rows: Arrays) -> None:
    logits, outputs = run_onnx(fp32.SerializeToString(), {IMAGE: rows[IMAGE]}), served(file, rows)
    first, second, present = expit(logits[FIRST]), expit(logits[SECOND]), rows[PRESENT][:, :1]
    refused = limits.refused(NAMES, first, second) & present
    assert 0 < refused[:, 0].sum() < present.sum()
    assert 0 < refused[:, 2].sum() < (first[:, 2] >= limits.first["unsuitable"]).sum()
    np.testing.assert_array_equal(outputs[REFUSED], refused)
    np.testing.assert_array_equal(outputs[SUITABLE], present & ~refused.any(axis=1, keepdims=True))
    np.testing.assert_allclose(outputs[ATTRIBUTES], first * present, atol=1e-6)
    np.testing.assert_allclose(outputs[SCORES], np.concatenate([first[:, 2:], second], axis=1) * present, atol=1e-6)


def test_missing_picture_is_unsuitable_without_a_reason(file: Path, rows: Arrays) -> None:
    missing = ~rows[PRESENT][:, 0]
    outputs = served(file, rows)
    assert missing.any()
    assert not any(outputs[name][missing].any() for name in (ATTRIBUTES, SCORES, REFUSED, SUITABLE))


def test_second_network_sees_only_what_the_first_suspects(file: Path, limits: Limits, rows: Arrays) -> None:
    screener = Screener(file)
    screenings = screener.screen(rows[IMAGE])
    all_present = served(file, rows | {PRESENT: np.ones_like(rows[PRESENT])})
    expected = [[name for name, found in zip(NAMES, row, strict=True) if found] for row in all_present[REFUSED]]
    assert [list(each.reasons) for each in screenings] == expected
    suspected = all_present[ATTRIBUTES][:, 2] >= limits.first["unsuitable"]
    assert 0 < screener.second_calls == suspected.sum() < len(screenings)


def logit(head: keras.layers.Dense, column: int, maps: Any) -> Any:
    return head(keras.ops.mean(maps, axis=(1, 2)))[:, column]


def test_heat_is_grad_cam_of_the_worst_attribute(
    networks: tuple[keras.Model, keras.Model], file: Path, rows: Arrays
) -> None:
    network = networks[0]
    maps_of = keras.Model(network.input, network.get_layer("tap_4").output)
    refused = [row for row, each in enumerate(Screener(file).screen(rows[IMAGE])) if each.reasons][:4]
    blocks = rows[IMAGE][refused].reshape(-1, 64, 2, 64, 2, 3).mean(axis=(2, 4), dtype=np.float32)
    maps = maps_of.predict(blocks, verbose=0)
    for place, screening in enumerate(Screener(file).screen(rows[IMAGE][refused])):
        column = NAMES.index(max(screening.reasons, key=lambda name: screening.reasons[name]))
        score = partial(logit, networks[0].get_layer("logits"), column)
        expected = grad_cam(score, maps[place : place + 1])[0]
        assert screening.heat is not None
        np.testing.assert_allclose(screening.heat, expected * expected.size, atol=1e-4)


def test_limits_find_most_at_the_precision() -> None:
    rng = np.random.default_rng(0)
    labels = np.zeros((1000, 3), np.int8)
    labels[:200, [0, 2]] = 1
    labels[990:, 0] = -1
    first, second = (rng.uniform(0, 0.5, (1000, columns)).astype(np.float32) for columns in (3, 1))
    first[:150, [0, 2]] += 0.5
    second[:200] += 0.5
    first[990:, 0] = 1.0  # not labeled
    limits = tune_limits(NAMES, first, second, labels, ["blurred", "unsuitable"], precision=0.95, prevalence=0.01)
    refused = limits.refused(NAMES, first, second)[:990]
    assert refused[:150, 0].all()
    assert refused[:200, 2].sum() >= 150
    assert not refused[200:].any()
    nothing = tune_limits(NAMES, first, second, np.minimum(labels, 0), ["unsuitable"])
    assert nothing == Limits({"unsuitable": NEVER}, NEVER)


def test_gate_rejects_int8_that_decides_otherwise(limits: Limits) -> None:
    rng = np.random.default_rng(1)
    first, second = rng.uniform(size=(100, 3)), rng.uniform(size=(100, 1))
    labels = (first > 0.5).astype(np.int8)
    assert check_int8(NAMES, limits, (first, second), (first, second), labels)["int8_changed_verdicts"] == 0
    with pytest.raises(ConversionError, match=r"lose at most 0\.01 of each AUC .*, got 0\.\d+ and \d"):
        check_int8(NAMES, limits, (first, second), (first[::-1], second), labels)


def test_worse_version_is_described() -> None:
    labels = np.array([[1, 0, 1]] * 50 + [[0, 0, 0]] * 50, np.int8)
    sharp = np.where(labels == 1, 0.9, 0.1)
    dull = np.where(np.arange(100)[:, None] < 40, sharp, 0.1)
    limits = Limits({"blurred": 0.5, "unsuitable": 0.5}, 0.5)
    good, bad = (measure(NAMES, limits, each, each[:, 2:], labels, 0.001) for each in (sharp, dull))
    assert (good["found"]["blurred"]["recall"], good["false_refusals"]) == (1.0, 0.0)
    assert regressions(good, good) == []
    assert [fault.split(" (")[0] for fault in regressions(good, bad)] == [
        "auc of blurred 0.900 against 1.000",
        "recall of blurred 0.800 against 1.000",
        "auc of unsuitable 0.900 against 1.000",
        "recall of unsuitable 0.800 against 1.000",
    ]


def test_recall_is_not_compared_with_what_refuses_much() -> None:
    found = {"auc": 0.99, "recall": 0.9}
    lax = {"false_refusals": 0.2, "found": {"text_overlay": found}}
    strict = {"false_refusals": 0.001, "found": {"text_overlay": found | {"recall": 0.6}}}
    assert regressions(lax, strict) == []
    assert [fault.split(" (")[0] for fault in regressions(lax | {"false_refusals": 0.003}, strict)] == [
        "recall of text_overlay 0.600 against 0.900"
    ]
    assert [fault.split(" (")[0] for fault in regressions(strict, lax)] == ["false refusals 0.2000 against 0.0010"]
