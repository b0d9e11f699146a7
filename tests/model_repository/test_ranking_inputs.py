from pathlib import Path

import numpy as np
import pytest

from picturegallery.errors import Fault, InvalidInput
from picturegallery.lookup import IdLookup
from picturegallery.prerank import PreRank
from picturegallery.priors import mean_likes, sampled_likes
from picturegallery.ranking_inputs import MAX_IDS, Pictures, RankingInputs, RankingReader

SIZE = 8
EVEN = np.array([0.5, 0.5], np.float32)


def pictures(count: int) -> Pictures:
    """Pictures 10, 11, … in mixed order, with random unit vectors."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(count, SIZE)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    shows = rng.integers(0, 100, count)
    counts = np.stack([rng.integers(0, shows + 1), shows], axis=1).astype(np.float32)
    return Pictures(rng.permutation(10 + np.arange(count)), vectors, counts)


def prerank(prior: float = 0.0) -> PreRank:
    """Likes what resembles the history; without one, the first axis."""
    eye, zeros = np.eye(SIZE, dtype=np.float32), np.zeros((2, SIZE), np.float32)
    return PreRank(eye, eye[0], zeros, zeros[0], np.array(prior, np.float32))


@pytest.fixture(scope="module")
def small() -> RankingReader:
    return RankingReader(pictures(30), prerank())


def read(
    reader: RankingReader, history: list[int] | None = None, candidates: list[int] | None = None, seed: int = -1
) -> RankingInputs:
    return reader.read(EVEN, np.array(history or [], np.int64), np.array(candidates or [], np.int64), seed)


def test_lookup_finds_rows_in_any_order() -> None:
    ids = np.array([7, 3, 900, 5])
    assert IdLookup(ids).rows(np.array([5, 7, 4, 900, 2**62, -9])).tolist() == [3, 0, -1, 2, -1, -1]
    assert IdLookup(ids[:0]).rows(np.array([5])).tolist() == [-1]


def test_history_keeps_order_and_counts_unknown_ids(small: RankingReader) -> None:
    data = pictures(30)
    inputs = read(small, history=[12, 999, -1, 30, -7])
    mask, vectors = inputs.tensors["HISTORY_MASK"], inputs.tensors["HISTORY_VECTORS"]
    assert (mask.shape, mask.sum()) == ((50,), 2)
    expected = [data.vectors[data.ids.tolist().index(each)] for each in (12, 30)]
    np.testing.assert_array_equal(vectors[:2], expected)
    assert not vectors[2:].any()
    assert inputs.unknown == {"HISTORY": 2, "CANDIDATES": 0}


def test_unknown_ids_take_no_place_of_the_50_that_count(small: RankingReader) -> None:
    inputs = read(small, history=[999] * 30 + [10 + index % 30 for index in range(60)])
    assert inputs.tensors["HISTORY_MASK"].all()
    assert inputs.unknown["HISTORY"] == 30


def test_no_candidates_mean_the_whole_gallery(small: RankingReader) -> None:
    for inputs in (read(small), read(small, candidates=[-1, -1])):
        assert inputs.tensors["CANDIDATE_MASK"].sum() == 30
        assert sorted(inputs.tensors["CANDIDATE_IDS"][:30]) == list(range(10, 40))


def test_candidates_are_distinct_known_and_in_one_order(small: RankingReader) -> None:
    first, second = read(small, candidates=[12, 30, 12, 999, -1]), read(small, candidates=[30, -1, 12])
    assert set(first.tensors["CANDIDATE_IDS"][:2]) == {12, 30}
    assert first.tensors["CANDIDATE_MASK"].sum() == 2
    assert first.unknown["CANDIDATES"] == 1
    np.testing.assert_array_equal(first.tensors["CANDIDATE_IDS"], second.tensors["CANDIDATE_IDS"])


@pytest.mark.parametrize(
    ("request_", "tensor", "fault", "message"),
    [
        ({"candidates": [1] * (MAX_IDS + 1)}, "CANDIDATES", Fault.TOO_MANY_IDS, "at most 1000 ids, got 1001"),
        ({"history": [1] * (MAX_IDS + 1)}, "HISTORY", Fault.TOO_MANY_IDS, "at most 1000 ids, got 1001"),
        ({"candidates": [998, 999]}, "CANDIDATES", Fault.ALL_UNKNOWN, "got 2 unknown ones"),
        ({"seed": -2}, "SEED", Fault.NEGATIVE, "expected 0 or more, or -1 for no exploration"),
    ],
    ids=["candidates", "history", "unknown", "seed"],
)
def test_bad_inputs_are_named(
    request_: dict[str, object], tensor: str, fault: Fault, message: str, small: RankingReader
) -> None:
    with pytest.raises(InvalidInput, match=f"{tensor}: .*{message}") as caught:
        read(small, **request_)  # type: ignore[arg-type]
    assert (caught.value.tensor, caught.value.fault) == (tensor, fault)


def test_empty_gallery_is_named() -> None:
    with pytest.raises(InvalidInput, match="CANDIDATES: the gallery has no pictures") as caught:
        read(RankingReader(pictures(0), prerank()), candidates=[3])
    assert caught.value.fault is Fault.EMPTY_GALLERY


def test_prerank_keeps_what_resembles_the_history() -> None:
    data = pictures(1000)
    liked = int(data.ids[123])
    inputs = read(RankingReader(data, prerank()), history=[liked])
    similarity = data.vectors @ data.vectors[123]
    best = set(data.ids[np.argsort(-similarity)[:200]])
    assert set(inputs.tensors["CANDIDATE_IDS"]) == best
    assert inputs.tensors["CANDIDATE_MASK"].all()
    assert set(read(RankingReader(data, prerank())).tensors["CANDIDATE_IDS"]) != best


def test_prerank_weighs_probabilities_and_priors() -> None:
    data = pictures(500)
    weights = prerank(prior=100.0)
    popular = set(data.ids[np.argsort(-mean_likes(data.counts), kind="stable")[:150]])
    assert popular <= set(read(RankingReader(data, weights)).tensors["CANDIDATE_IDS"])
    gendered = np.zeros((2, SIZE), np.float32)
    gendered[1, 3] = 10
    women = PreRank(weights.history, weights.null_history, gendered, weights.bias, np.array(0, np.float32))
    user = women.user(data.vectors[:0], np.array([0, 1], np.float32))
    np.testing.assert_allclose(user, weights.null_history + gendered[1])


def test_priors_are_means_without_a_seed_and_draws_with_one() -> None:
    counts = np.array([[0, 0], [3, 8], [900, 1000]], np.float32)
    np.testing.assert_allclose(mean_likes(counts), [1 / 2, 4 / 10, 901 / 1002])
    draws = sampled_likes(np.repeat(counts, 20_000, axis=0), np.random.default_rng(1)).reshape(3, -1)
    np.testing.assert_allclose(draws.mean(axis=1), mean_likes(counts), atol=0.01)
    a, b = counts.T[0] + 1, counts.T[1] - counts.T[0] + 1
    np.testing.assert_allclose(draws.std(axis=1), np.sqrt(a * b / (a + b + 1)) / (a + b), rtol=0.03)


def test_seed_repeats_all_random_choices(small: RankingReader) -> None:
    first, again, other = (read(small, candidates=[12, 30, 15], seed=seed).tensors for seed in (5, 5, 6))
    assert first["EXPLORE"].all()
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
    assert not np.array_equal(first["NOISE"][:3], other["NOISE"][:3])
    assert not np.array_equal(first["CANDIDATE_PRIORS"][:3], other["CANDIDATE_PRIORS"][:3])
    assert not first["NOISE"][3:].any()


def test_nothing_is_random_without_a_seed(small: RankingReader) -> None:
    tensors = read(small).tensors
    assert not tensors["EXPLORE"].any()
    assert not tensors["NOISE"].any()


def test_prerank_weights_are_read_from_a_file(tmp_path: Path) -> None:
    weights = prerank(prior=0.5)
    np.savez(tmp_path / "prerank.npz", **vars(weights))
    loaded = PreRank.load(tmp_path / "prerank.npz")
    for name, array in vars(weights).items():
        np.testing.assert_array_equal(getattr(loaded, name), array)
