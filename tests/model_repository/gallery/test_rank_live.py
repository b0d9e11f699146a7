"""The ensembles of the role rank in a real Triton, asked with plain tritonclient."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import logit

from conversion.export import read_metadata
from server.catalog import RANK, Catalog
from tests.support.inference import BAD_REQUEST, Arrays, Caller, Refused, users
from tests.support.pictures import encode, noise
from tests.support.scrape import total, total_once
from tests.support.tritonserver import ROOT, Server

CATALOG = Catalog(ROOT / "model_repository")
BACKBONES = CATALOG.backbones(RANK)
TEMPERATURE = float(read_metadata(CATALOG.model("ranker").folder / "1" / "model.onnx")["temperature"])
SHAPES = {"PICTURES": (1, 20), "SCORES": (1, 20), "PROPENSITIES": (1, 20)}
STORED: Arrays = {
    "EMBEDDING": np.random.default_rng(0).normal(size=(1, 256)).astype(np.float32),
    "PROBABILITIES": np.array([[0.3, 0.7]], np.float32),
}


def ids(*numbers: int) -> NDArray[np.int64]:
    return np.array([numbers], np.int64)


def rank(caller: Caller, **inputs: NDArray[np.int64]) -> Arrays:
    return caller.infer("rank_embedding", STORED | inputs)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_stored_embedding_equals_the_full_path(caller: Caller, backbone: str) -> None:
    liked = {"HISTORY": ids(3, 14, 15)}
    full = caller.infer(f"rank_{backbone}", users((encode(noise(), "PNG"), "小美".encode())) | liked)
    shapes = {name: array.shape for name, array in full.items()}
    assert shapes == SHAPES | {"PROBABILITIES": (1, 2), "WEIGHTS": (1, 2), "EMBEDDING": (1, 256)}
    stored = caller.infer("rank_embedding", {name: full[name] for name in STORED} | liked)
    assert {name: array.shape for name, array in stored.items()} == SHAPES
    np.testing.assert_array_equal(stored["PICTURES"], full["PICTURES"])
    np.testing.assert_allclose(stored["SCORES"], full["SCORES"], atol=1e-6)


def test_list_is_sorted_and_of_the_gallery(caller: Caller) -> None:
    answer = rank(caller)
    pictures, scores = answer["PICTURES"][0], answer["SCORES"][0]
    assert len(set(pictures)) == 20
    assert ((pictures >= 1) & (pictures <= 400)).all()
    assert (np.diff(scores) <= 0).all()
    assert ((scores > 0) & (scores < 1)).all()
    assert (answer["PROPENSITIES"] == 1).all()


def test_short_lists_are_padded(caller: Caller) -> None:
    answer = rank(caller, CANDIDATES=ids(3, 14, 15, 3, 999, -1))
    assert set(answer["PICTURES"][0, :3]) == {3, 14, 15}
    assert answer["PICTURES"][0, 3:].tolist() == [-1] * 17
    assert not answer["SCORES"][0, 3:].any()
    assert not answer["PROPENSITIES"][0, 3:].any()


def test_absent_and_empty_inputs_are_the_same(caller: Caller) -> None:
    absent = rank(caller)
    for inputs in (
        {"HISTORY": ids(), "CANDIDATES": ids()},
        {"HISTORY": ids(-1), "CANDIDATES": ids(-1), "SEED": ids(-1)},
    ):
        assert rank(caller, **inputs)["PICTURES"].tolist() == absent["PICTURES"].tolist()


def test_same_seed_gives_the_same_list(caller: Caller) -> None:
    first, again, other = (rank(caller, SEED=ids(seed)) for seed in (7, 7, 8))
    for name in SHAPES:
        np.testing.assert_array_equal(first[name], again[name])
    assert first["PICTURES"].tolist() != other["PICTURES"].tolist()
    assert ((first["PROPENSITIES"] > 0) & (first["PROPENSITIES"] < 1)).all()


def test_propensities_are_those_of_plackett_luce(caller: Caller) -> None:
    """The candidates fit into the list, so that their scores give all weights."""
    orders = set()
    for seed in range(30):
        answer = rank(caller, CANDIDATES=ids(3, 14, 15), SEED=ids(seed))
        weights = np.exp(logit(answer["SCORES"][0, :3].astype(np.float64)) / TEMPERATURE)
        expected = [weights[place] / weights[place:].sum() for place in range(3)]
        np.testing.assert_allclose(answer["PROPENSITIES"][0, :3], expected, rtol=1e-4)
        orders.add(tuple(answer["PICTURES"][0, :3]))
    assert len(orders) > 1


def test_rows_of_a_request_are_answered_alone(caller: Caller) -> None:
    both = {name: np.repeat(array, 2, axis=0) for name, array in STORED.items()}
    lists = {"HISTORY": [[3, 14], [15, -1]], "CANDIDATES": [[20, 21, 22], [30, 31, -1]], "SEED": [[-1], [9]]}
    together = caller.infer("rank_embedding", both | {name: np.array(rows) for name, rows in lists.items()})
    alone = (
        rank(caller, HISTORY=ids(3, 14), CANDIDATES=ids(20, 21, 22)),
        rank(caller, HISTORY=ids(15), CANDIDATES=ids(30, 31), SEED=ids(9)),
    )
    for row, answer in enumerate(alone):
        assert together["PICTURES"][row].tolist() == answer["PICTURES"][0].tolist()
        np.testing.assert_allclose(together["PROPENSITIES"][row], answer["PROPENSITIES"][0], rtol=1e-5)


BAD: dict[str, tuple[Arrays, str]] = {
    "type of history": ({"HISTORY": np.ones((1, 3), np.int32)}, "input 'HISTORY' data-type is 'INT32'"),
    "shape of history": ({"HISTORY": np.ones((1, 3, 1), np.int64)}, "unexpected shape for input 'HISTORY'"),
    "too many candidates": ({"CANDIDATES": ids(*range(1, 1002))}, "CANDIDATES: expected at most 1000 ids, got 1001"),
    "too long a history": ({"HISTORY": ids(*range(1, 1002))}, "HISTORY: expected at most 1000 ids, got 1001"),
    "unknown candidates": (
        {"CANDIDATES": ids(998, 999)},
        "CANDIDATES: expected ids of pictures in the gallery, got 2 unknown",
    ),
    "negative seed": ({"SEED": ids(-2)}, "SEED: expected 0 or more, or -1 for no exploration"),
    "embedding with NaN": (
        {"EMBEDDING": np.full((1, 256), np.nan, np.float32)},
        "EMBEDDING: expected finite numbers",
    ),
    "embedding with infinity": (
        {"EMBEDDING": np.full((1, 256), -np.inf, np.float32)},
        "EMBEDDING: expected finite numbers",
    ),
    "no probabilities": (
        {"PROBABILITIES": np.array([[np.nan, 1]], np.float32)},
        "PROBABILITIES: expected numbers from 0",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_request_fails_alone_and_names_the_input(caller: Caller, kind: str) -> None:
    inputs, message = BAD[kind]
    with pytest.raises(Refused) as refused:
        caller.infer("rank_embedding", STORED | inputs)
    assert refused.value.status == BAD_REQUEST[caller.protocol]
    assert message in str(refused.value)
    assert rank(caller)["PICTURES"].shape == (1, 20)


def test_unknown_ids_are_ignored_and_counted(caller: Caller, triton: Server) -> None:
    metric = "gallery_unknown_ids_total"
    before = {tensor: total(triton, metric, tensor=tensor) for tensor in ("HISTORY", "CANDIDATES")}
    with_unknown = rank(caller, HISTORY=ids(999, 3, 1000), CANDIDATES=ids(14, 15, 998))
    known = rank(caller, HISTORY=ids(3), CANDIDATES=ids(14, 15))
    np.testing.assert_array_equal(with_unknown["PICTURES"], known["PICTURES"])
    np.testing.assert_array_equal(with_unknown["SCORES"], known["SCORES"])
    for tensor, times in (("HISTORY", 2), ("CANDIDATES", 1)):
        assert total_once(triton, before[tensor] + times, metric, tensor=tensor) == before[tensor] + times


def test_history_changes_the_order(caller: Caller) -> None:
    lists = {tuple(rank(caller, HISTORY=ids(picture))["PICTURES"][0]) for picture in range(1, 9)}
    assert len(lists) > 1
