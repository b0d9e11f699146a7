"""Retrieval by the embeddings of a few examples."""

import numpy as np
import pytest

from training.curation.few_shot import precision_at, retrieve, similarity

EXAMPLES = np.array([[1.0, 0.0], [0.0, 2.0]])
POOL = np.array([[3.0, 0.1], [-1.0, 0.0], [0.2, 5.0], [1.0, 1.0], [0.0, 0.0]])


def test_similarity_is_the_cosine_to_the_nearest_example() -> None:
    assert similarity(EXAMPLES, POOL) == pytest.approx([0.99944, 0.0, 0.99920, 0.70711, 0.0], abs=1e-5)


def test_pictures_near_any_example_are_retrieved_nearest_first() -> None:
    assert retrieve(EXAMPLES, POOL, 3).tolist() == [0, 2, 3]


def test_precision_at_k() -> None:
    relevant = np.array([True, False, False, True, False])
    assert [precision_at(k, relevant, np.array([0, 2, 3])) for k in (1, 2, 3)] == pytest.approx([1, 1 / 2, 2 / 3])
    with pytest.raises(ValueError, match="between 1 and 3 ranked rows, got 4"):
        precision_at(4, relevant, np.array([0, 2, 3]))


def test_a_dispersed_class_is_retrieved_though_its_mean_is_near_to_nothing() -> None:
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(6, 16))
    positives = np.repeat(centers, 10, axis=0) + 0.2 * rng.normal(size=(60, 16))
    pool = np.concatenate([positives, rng.normal(size=(1000, 16))])
    ranked, relevant = retrieve(centers, pool, 60), np.arange(1060) < 60
    by_mean = retrieve(centers.mean(axis=0, keepdims=True), pool, 60)
    assert precision_at(60, relevant, ranked) > 0.95
    assert precision_at(60, relevant, by_mean) < 0.7
