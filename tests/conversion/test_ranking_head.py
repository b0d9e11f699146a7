from itertools import permutations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from scipy.special import expit

from conversion.graph import Graph
from conversion.parity import run_onnx
from conversion.ranking_head import LIST_SIZE, TEMPERATURE, ranking_head
from training.arrays import Arrays, FloatsN

COUNT = 24
LOGITS = np.array([0.3, -0.2, 0.6, 0.1], np.float32)


@pytest.fixture(scope="module")
def head() -> onnx.ModelProto:
    graph = Graph()
    ranking_head(graph, "LOGITS")
    tensors = {
        "LOGITS": (TensorProto.FLOAT, COUNT),
        "CANDIDATE_IDS": (TensorProto.INT64, COUNT),
        "CANDIDATE_MASK": (TensorProto.BOOL, COUNT),
        "NOISE": (TensorProto.FLOAT, COUNT),
        "EXPLORE": (TensorProto.BOOL, 1),
        "PICTURES": (TensorProto.INT64, LIST_SIZE),
        "SCORES": (TensorProto.FLOAT, LIST_SIZE),
        "PROPENSITIES": (TensorProto.FLOAT, LIST_SIZE),
    }
    infos = [helper.make_tensor_value_info(name, type_, ["batch", size]) for name, (type_, size) in tensors.items()]
    return graph.model(infos[:5], infos[5:])


def run(head: onnx.ModelProto, logits: FloatsN, seed: int | None = None, rows: int = 1) -> Arrays:
    """Rank the pictures 100, 101, … of these logits."""
    size = len(logits)
    noise = np.zeros((rows, COUNT)) if seed is None else np.random.default_rng(seed).gumbel(size=(rows, COUNT))
    inputs = {
        "LOGITS": np.pad(logits, (0, COUNT - size), constant_values=9),
        "CANDIDATE_IDS": 100 + np.arange(COUNT),
        "CANDIDATE_MASK": np.arange(COUNT) < size,
        "EXPLORE": np.array([seed is not None]),
    }
    batch = {name: np.repeat(array[None], rows, axis=0) for name, array in inputs.items()}
    return run_onnx(head.SerializeToString(), {**batch, "NOISE": noise.astype(np.float32)}, batch=rows)


def plackett_luce(logits: FloatsN, order: tuple[int, ...]) -> float:
    """The probability of an order, by its definition."""
    weights = np.exp(logits.astype(np.float64) / TEMPERATURE)
    return float(np.prod([weights[each] / weights[list(order[place:])].sum() for place, each in enumerate(order)]))


def test_without_exploration_the_best_come_first(head: onnx.ModelProto) -> None:
    outputs = run(head, LOGITS)
    assert outputs["PICTURES"][0].tolist() == [102, 100, 103, 101] + [-1] * 16
    np.testing.assert_allclose(outputs["SCORES"][0, :4], expit(LOGITS[[2, 0, 3, 1]]), rtol=1e-6)
    assert outputs["PROPENSITIES"][0].tolist() == [1] * 4 + [0] * 16
    assert not outputs["SCORES"][0, 4:].any()


def test_lists_are_drawn_with_their_plackett_luce_probability(head: onnx.ModelProto) -> None:
    draws = 20_000
    outputs = run(head, LOGITS, seed=1, rows=draws)
    lists = outputs["PICTURES"][:, :4] - 100
    for order in permutations(range(4)):
        probability = plackett_luce(LOGITS, order)
        drawn = (lists == order).all(axis=1)
        assert abs(drawn.mean() - probability) < 4 * np.sqrt(probability * (1 - probability) / draws)
        np.testing.assert_allclose(outputs["PROPENSITIES"][drawn, :4].prod(axis=1), probability, rtol=1e-5)


def test_propensities_of_more_pictures_than_places(head: onnx.ModelProto) -> None:
    logits = np.linspace(-3, 3, COUNT, dtype=np.float32)
    outputs = run(head, logits, seed=2)
    weights, left = np.exp(logits.astype(np.float64) / TEMPERATURE), np.ones(COUNT, bool)
    for picture, propensity in zip(outputs["PICTURES"][0] - 100, outputs["PROPENSITIES"][0], strict=True):
        assert propensity == pytest.approx(weights[picture] / weights[left].sum(), rel=1e-5)
        left[picture] = False


def test_scores_are_those_of_the_pictures_in_any_order(head: onnx.ModelProto) -> None:
    outputs = run(head, LOGITS, seed=3)
    pictures = outputs["PICTURES"][0, :4] - 100
    assert pictures.tolist() != [2, 0, 3, 1]
    np.testing.assert_allclose(outputs["SCORES"][0, :4], expit(LOGITS[pictures]), rtol=1e-6)


def test_far_apart_logits_keep_exact_propensities(head: onnx.ModelProto) -> None:
    outputs = run(head, np.array([9, -9, 0], np.float32), seed=4)
    assert outputs["PICTURES"][0, :3].tolist() == [100, 102, 101]
    np.testing.assert_allclose(outputs["PROPENSITIES"][0, :3], 1, rtol=1e-6)
    assert np.isfinite(run(head, np.array([99, -99, 0], np.float32), seed=4)["PROPENSITIES"]).all()
