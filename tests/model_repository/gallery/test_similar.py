from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from picturegallery.errors import InvalidInput
from picturegallery.files import Gallery
from picturegallery.search import ExactSearch
from picturegallery.similar import Arrays, SimilarPictures

MISSING = np.zeros(32, np.float32)


def ask(gallery: Gallery, vectors: list[NDArray[Any]], **inputs: list[int]) -> Arrays:
    columns = {name: np.array(values)[:, None] for name, values in inputs.items()}
    return SimilarPictures(gallery, ExactSearch(gallery.vectors)).answer({"VECTOR": np.stack(vectors), **columns})


def test_picture_is_answered_with_ids_and_cosines(gallery: Gallery) -> None:
    query = gallery.vectors[3].astype(np.float32)
    answer = ask(gallery, [query])
    assert answer["PICTURES"].shape == (1, 10)
    assert answer["PICTURES"][0, 0] == 1004
    assert answer["SCORES"][0, 0] == pytest.approx(1, abs=1e-3)
    rows = answer["PICTURES"][0] - 1001
    np.testing.assert_allclose(answer["SCORES"][0], gallery.vectors[rows].astype(np.float32) @ query, atol=1e-6)


def test_picture_is_not_its_own_neighbor(gallery: Gallery) -> None:
    of_picture = ask(gallery, [gallery.vectors[3].astype(np.float32)], K=[5])
    of_id = ask(gallery, [MISSING], PICTURE_ID=[1004], K=[4])
    assert of_id["PICTURES"].tolist() == [of_picture["PICTURES"][0, 1:].tolist()]


def test_rows_of_a_batch_are_padded_to_the_largest_k(gallery: Gallery) -> None:
    vectors = [MISSING, gallery.vectors[0].astype(np.float32)]
    answer = ask(gallery, vectors, PICTURE_ID=[1004, -1], K=[2, 5])
    assert (answer["PICTURES"] == -1).tolist() == [[False] * 2 + [True] * 3, [False] * 5]
    assert answer["SCORES"][0, 2:].tolist() == [-1, -1, -1]


def test_small_gallery_is_padded(gallery: Gallery) -> None:
    small = Gallery(gallery.vectors[:3], gallery.ids[:3], gallery.titles[:3], gallery.priors[:3], gallery.about)
    assert (ask(small, [MISSING], PICTURE_ID=[1001], K=[5])["PICTURES"] == -1).sum() == 3


def test_only_picture_has_no_neighbor(gallery: Gallery) -> None:
    only = Gallery(gallery.vectors[:1], gallery.ids[:1], gallery.titles[:1], gallery.priors[:1], gallery.about)
    answer = ask(only, [MISSING], PICTURE_ID=[1001], K=[2])
    assert answer["PICTURES"].tolist() == answer["SCORES"].tolist() == [[-1, -1]]


def test_request_without_a_vector_is_refused(gallery: Gallery) -> None:
    similar = SimilarPictures(gallery, ExactSearch(gallery.vectors))
    with pytest.raises(InvalidInput, match="VECTOR: expected one for each picture"):
        similar.answer({"PICTURE_ID": np.array([[1001]])})


@pytest.mark.parametrize(
    ("has_picture", "inputs", "message"),
    [
        (False, {}, "PICTURE: empty, or plain gray or white; send a picture, or an id as PICTURE_ID"),
        (False, {"PICTURE_ID": [-1]}, "PICTURE: empty"),
        (False, {"PICTURE_ID": [7]}, "PICTURE_ID: not in this gallery of 300 pictures; send a known id"),
        (False, {"PICTURE_ID": [-2]}, "PICTURE_ID: not in this gallery"),
        (True, {"PICTURE_ID": [1001]}, "PICTURE_ID: expected either a picture or an id, got both; leave one out"),
        (True, {"K": [0]}, "K: expected 1 to 100 pictures"),
        (True, {"K": [101]}, "K: expected 1 to 100 pictures"),
    ],
)
def test_bad_request_is_refused(
    gallery: Gallery, has_picture: bool, inputs: dict[str, list[int]], message: str
) -> None:
    vector = gallery.vectors[0].astype(np.float32) if has_picture else MISSING
    with pytest.raises(InvalidInput) as refused:
        ask(gallery, [vector], **inputs)
    assert str(refused.value).startswith(message)


def test_bad_row_is_named(gallery: Gallery) -> None:
    with pytest.raises(InvalidInput, match=r"known id \(row 1 of 2\)$"):
        ask(gallery, [MISSING, MISSING], PICTURE_ID=[1001, 7])
