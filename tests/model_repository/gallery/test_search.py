import numpy as np
import pytest

from picturegallery import search as search_module
from picturegallery.faiss_search import FaissSearch
from picturegallery.files import Gallery
from picturegallery.search import ExactSearch, build_search, largest


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


def test_only_very_large_galleries_are_searched_by_faiss(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(build_search(gallery.vectors), ExactSearch)
    monkeypatch.setattr(search_module, "MAX_EXACT", 299)
    assert isinstance(build_search(gallery.vectors), FaissSearch)
    monkeypatch.setattr(search_module, "find_spec", lambda name: None)
    assert isinstance(build_search(gallery.vectors), ExactSearch)


@pytest.mark.parametrize("excluded", [None, 5])
def test_faiss_equals_exact_search_if_it_probes_all_cells(gallery: Gallery, excluded: int | None) -> None:
    query = np.asarray(gallery.vectors[5], np.float32)
    expected, scores = ExactSearch(gallery.vectors).nearest(query, 20, excluded)
    rows, found = FaissSearch(gallery.vectors, probed=300).nearest(query, 20, excluded)
    assert rows.tolist() == expected.tolist()
    np.testing.assert_allclose(found, scores, atol=1e-5)
