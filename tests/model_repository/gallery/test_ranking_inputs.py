from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from picturegallery.errors import Fault, GalleryError, InvalidInput
from picturegallery.files import Gallery
from picturegallery.lookup import IdLookup
from picturegallery.prerank import PreRank
from picturegallery.priors import mean_likes, sampled_likes
from picturegallery.ranking_inputs import MAX_IDS, Arrays, RankingReader

SIZE = 8
EVEN = np.array([0.5, 0.5], np.float32)


def pictures(count: int) -> Gallery:
    """Pictures 10, 11, … in mixed order, with random unit vectors."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(count, SIZE))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    shows = rng.integers(0, 100, count)
    counts = np.stack([rng.integers(0, shows + 1), shows], axis=1).astype(np.float32)
    return Gallery(vectors.astype(np.float16), rng.permutation(10 + np.arange(count)), [""] * count, counts, {})


def reader_of(gallery: Gallery, prior: float = 0.0) -> RankingReader:
    return RankingReader(gallery, gallery.vectors.astype(np.float32), prerank(prior))


def prerank(prior: float = 0.0) -> PreRank:
    """Likes what resembles the history; without one, the first axis."""
    eye, zeros = np.eye(SIZE, dtype=np.float32), np.zeros((2, SIZE), np.float32)
    return PreRank(eye, eye[0], zeros, zeros[0], np.float32(prior))


@pytest.fixture(scope="module")
def small() -> RankingReader:
    return reader_of(pictures(30))


def inputs_of(history: list[int] | None = None, candidates: list[int] | None = None, seed: int | None = None) -> Arrays:
    """A request of one user; None leaves out an input."""
    lists = {"HISTORY": history, "CANDIDATES": candidates, "SEED": None if seed is None else [seed]}
    given = {name: np.array([ids], np.int64) for name, ids in lists.items() if ids is not None}
    return {"PROBABILITIES": EVEN[None], **given}


def read(reader: RankingReader, **lists: Any) -> tuple[Arrays, Counter[str]]:
    """The tensors of one user, and the counts of unknown ids."""
    unknown: Counter[str] = Counter()
    return {name: array[0] for name, array in reader.answer(inputs_of(**lists), unknown).items()}, unknown


def test_lookup_finds_rows_in_any_order() -> None:
    ids = np.array([7, 3, 900, 5])
    assert IdLookup(ids).rows(np.array([5, 7, 4, 900, 2**62, -9])).tolist() == [3, 0, -1, 2, -1, -1]
    assert IdLookup(ids[:0]).rows(np.array([5])).tolist() == [-1]


def test_history_keeps_order_and_counts_unknown_ids(small: RankingReader) -> None:
    data = pictures(30)
    tensors, unknown = read(small, history=[12, 999, -1, 30, -7])
    mask, vectors = tensors["HISTORY_MASK"], tensors["HISTORY_VECTORS"]
    assert (mask.shape, mask.sum()) == ((50,), 2)
    expected = [data.vectors[data.ids.tolist().index(each)] for each in (12, 30)]
    np.testing.assert_array_equal(vectors[:2], expected)
    assert not vectors[2:].any()
    assert (unknown["HISTORY"], unknown["CANDIDATES"]) == (2, 0)


def test_unknown_ids_take_no_place_of_the_50_that_count(small: RankingReader) -> None:
    tensors, unknown = read(small, history=[999] * 30 + [10 + index % 30 for index in range(60)])
    assert tensors["HISTORY_MASK"].all()
    assert unknown["HISTORY"] == 30


@pytest.mark.parametrize("candidates", [None, [], [-1, -1]], ids=["absent", "empty", "padding"])
def test_no_candidates_mean_the_whole_gallery(candidates: list[int] | None, small: RankingReader) -> None:
    tensors, _ = read(small, candidates=candidates)
    assert tensors["CANDIDATE_MASK"].sum() == 30
    assert sorted(tensors["CANDIDATE_IDS"][:30]) == list(range(10, 40))


def test_candidates_are_distinct_known_and_in_one_order(small: RankingReader) -> None:
    (first, unknown), (second, _) = read(small, candidates=[12, 30, 12, 999, -1]), read(small, candidates=[30, -1, 12])
    assert set(first["CANDIDATE_IDS"][:2]) == {12, 30}
    assert first["CANDIDATE_MASK"].sum() == 2
    assert unknown["CANDIDATES"] == 1
    np.testing.assert_array_equal(first["CANDIDATE_IDS"], second["CANDIDATE_IDS"])


def test_rows_of_a_request_are_read_alone(small: RankingReader) -> None:
    lists = {"HISTORY": [[12, -1], [30, 31]], "CANDIDATES": [[15, -1], [16, 17]], "SEED": [[-1], [3]]}
    inputs = {name: np.array(rows, np.int64) for name, rows in lists.items()}
    both = small.answer({"PROBABILITIES": np.stack([EVEN, EVEN]), **inputs}, Counter())
    first, _ = read(small, history=[12], candidates=[15])
    second, _ = read(small, history=[30, 31], candidates=[16, 17], seed=3)
    for name, array in both.items():
        np.testing.assert_array_equal(array, [first[name], second[name]])


def test_row_with_an_embedding_that_is_not_finite_is_named(small: RankingReader) -> None:
    embeddings = np.array([[0.5, 0.5], [0.5, np.nan]], np.float32)
    inputs = {"PROBABILITIES": np.stack([EVEN, EVEN]), "EMBEDDING": embeddings}
    with pytest.raises(InvalidInput, match=r"^EMBEDDING: expected finite numbers.* \(row 1 of 2\)$") as caught:
        small.answer(inputs, Counter())
    assert caught.value.fault == Fault.NOT_FINITE


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
    request_: dict[str, Any], tensor: str, fault: Fault, message: str, small: RankingReader
) -> None:
    with pytest.raises(InvalidInput, match=f"^{tensor}: .*{message}") as caught:
        read(small, **request_)
    assert (caught.value.tensor, caught.value.fault) == (tensor, fault)


def test_bad_row_of_a_request_is_named(small: RankingReader) -> None:
    inputs = {"PROBABILITIES": np.array([EVEN, [np.nan, 0.5]], np.float32)}
    with pytest.raises(InvalidInput, match=r"^PROBABILITIES: expected numbers from 0 to 1 \(row 1 of 2\)$"):
        small.answer(inputs, Counter())


def test_prerank_keeps_what_resembles_the_history() -> None:
    gallery = pictures(1000)
    reader, liked = reader_of(gallery), int(gallery.ids[123])
    tensors, _ = read(reader, history=[liked])
    vectors = gallery.vectors.astype(np.float32)
    best = set(gallery.ids[np.argsort(-(vectors @ vectors[123]))[:200]])
    assert set(tensors["CANDIDATE_IDS"]) == best
    assert tensors["CANDIDATE_MASK"].all()
    assert set(read(reader)[0]["CANDIDATE_IDS"]) != best


def test_prerank_weighs_priors() -> None:
    gallery = pictures(500)
    popular = set(gallery.ids[np.argsort(-mean_likes(gallery.priors), kind="stable")[:150]])
    assert popular <= set(read(reader_of(gallery, prior=100.0))[0]["CANDIDATE_IDS"])


def test_prerank_weighs_probabilities() -> None:
    gendered = np.zeros((2, SIZE), np.float32)
    gendered[1, 3] = 10
    weights = prerank()
    women = PreRank(weights.history, weights.null_history, gendered, weights.bias, weights.prior)
    user = women.user(np.zeros((0, SIZE), np.float32), np.array([0, 1], np.float32))
    np.testing.assert_allclose(user, weights.null_history + gendered[1])


def test_priors_are_means_without_a_seed_and_draws_with_one() -> None:
    counts = np.array([[0, 0], [3, 8], [900, 1000]], np.float32)
    np.testing.assert_allclose(mean_likes(counts), [1 / 2, 4 / 10, 901 / 1002], rtol=1e-6)
    draws = sampled_likes(np.repeat(counts, 20_000, axis=0), np.random.default_rng(1)).reshape(3, -1)
    np.testing.assert_allclose(draws.mean(axis=1), mean_likes(counts), atol=0.01)
    a, b = counts[:, 0] + 1, counts[:, 1] - counts[:, 0] + 1
    np.testing.assert_allclose(draws.std(axis=1), np.sqrt(a * b / (a + b + 1)) / (a + b), rtol=0.03)


def test_seed_repeats_all_random_choices(small: RankingReader) -> None:
    first, again, other = (read(small, candidates=[12, 30, 15], seed=seed)[0] for seed in (5, 5, 6))
    assert first["EXPLORE"].all()
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
    assert not np.array_equal(first["NOISE"][:3], other["NOISE"][:3])
    assert not np.array_equal(first["CANDIDATE_PRIORS"][:3], other["CANDIDATE_PRIORS"][:3])
    assert not first["NOISE"][3:].any()


def test_nothing_is_random_without_a_seed(small: RankingReader) -> None:
    tensors, _ = read(small)
    assert not tensors["EXPLORE"].any()
    assert not tensors["NOISE"].any()


def test_prerank_weights_are_read_from_a_file(tmp_path: Path) -> None:
    weights = prerank(prior=0.5)
    np.savez(tmp_path / "prerank.npz", **vars(weights))
    loaded = PreRank.load(tmp_path / "prerank.npz", SIZE)
    for name, array in vars(weights).items():
        np.testing.assert_array_equal(getattr(loaded, name), array)
    with pytest.raises(GalleryError, match=r"expected history of shape \(9, 9\), got \(8, 8\)"):
        PreRank.load(tmp_path / "prerank.npz", SIZE + 1)


def test_without_weights_popular_pictures_like_the_liked_ones_are_kept(tmp_path: Path) -> None:
    liked = np.eye(SIZE, dtype=np.float32)[:2]
    default = PreRank.load(tmp_path / "prerank.npz", SIZE)
    np.testing.assert_allclose(default.user(liked, EVEN), liked.mean(axis=0))
    assert default.prior > 0


@pytest.mark.parametrize("content", [b"half a file", b"", b"PK\x03\x04 and half a file"])
def test_unreadable_weights_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "prerank.npz").write_bytes(content)
    with pytest.raises(GalleryError, match=r"prerank\.npz cannot be read"):
        PreRank.load(tmp_path / "prerank.npz", SIZE)
