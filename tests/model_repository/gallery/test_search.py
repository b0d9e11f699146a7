import numpy as np
import pytest

from picturegallery.files import Gallery
from picturegallery.search import ExactSearch, largest


@pytest.mark.parametrize("size", [1, 63, 64, 700, 20_011])
@pytest.mark.parametrize("k", [1, 10, 100])
def test_largest_equals_sorting(size: int, k: int) -> None:
    scores = np.random.default_rng(size).permutation(size).astype(np.float32)
    assert largest(scores, k).tolist() == np.argsort(-scores)[:k].tolist()


def test_search_equals_brute_force(gallery: Gallery) -> None:
    vectors = gallery.vectors.astype(np.float64)
    search = ExactSearch(gallery.vectors)
    for row in (0, 7, 299):
        rows, scores = search.nearest(np.asarray(gallery.vectors[row], np.float32), 20)
        cosines = vectors @ vectors[row]
        assert rows.tolist() == np.argsort(-cosines)[:20].tolist()
        np.testing.assert_allclose(scores, cosines[rows], atol=1e-6)


def test_excluded_row_is_no_answer(gallery: Gallery) -> None:
    query = np.asarray(gallery.vectors[5], np.float32)
    search = ExactSearch(gallery.vectors)
    assert search.nearest(query, 1)[0].tolist() == [5]
    assert search.nearest(query, 300, excluded=5)[0].tolist() == search.nearest(query, 300)[0].tolist()[1:]
