"""The ensembles embed and similar in a real Triton, asked with plain tritonclient and with JSON."""

import json
from io import BytesIO
from typing import Any

import numpy as np
import pytest

from picturegallery.files import Gallery, read_gallery
from tests.support.inference import BAD_REQUEST, Arrays, Caller, Refused, bytes_column, json_input, post
from tests.support.tritonserver import ROOT, Server
from training.synthetic.cards import compose_card, draw_card

SHIPPED = ROOT / "model_repository" / "gallery" / "1"


def png_of(seed: int) -> bytes:
    file = BytesIO()
    draw_card(compose_card(seed)).save(file, "PNG")
    return file.getvalue()


CARD = png_of(7)


def of_id(*ids: int, **inputs: int) -> Arrays:
    column = {name: np.full((len(ids), 1), value) for name, value in inputs.items()}
    return {"PICTURE": bytes_column(*[b""] * len(ids)), "PICTURE_ID": np.array(ids)[:, None], **column}


@pytest.fixture(scope="module")
def shipped() -> Gallery:
    return read_gallery(SHIPPED)


def test_embed_returns_unit_vectors(caller: Caller) -> None:
    answer = caller.infer("embed", {"PICTURE": bytes_column(CARD), "TITLE": bytes_column("早安".encode())})
    assert {name: array.shape for name, array in answer.items()} == {"VECTOR": (1, 32), "TITLE_VECTOR": (1, 32)}
    for vectors in answer.values():
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)


def test_embed_of_missing_input_is_zero(caller: Caller) -> None:
    both = caller.infer("embed", {"PICTURE": bytes_column(CARD, b""), "TITLE": bytes_column(b"", b"sea")})
    assert both["VECTOR"].any(axis=1).tolist() == [True, False]
    assert both["TITLE_VECTOR"].any(axis=1).tolist() == [False, True]
    untitled = caller.infer("embed", {"PICTURE": bytes_column(CARD)})
    np.testing.assert_allclose(untitled["VECTOR"], both["VECTOR"][:1], atol=1e-4)


def test_gallery_holds_what_embed_returns(caller: Caller, shipped: Gallery) -> None:
    card = png_of(shipped.about["first_seed"] + 2)
    vector = caller.infer("embed", {"PICTURE": bytes_column(card)})["VECTOR"][0]
    assert shipped.vectors[2].astype(np.float32) @ vector == pytest.approx(1, abs=1e-3)


def test_similar_of_picture_and_of_its_id_agree(caller: Caller, shipped: Gallery) -> None:
    card = png_of(shipped.about["first_seed"] + 2)
    of_picture = caller.infer("similar", {"PICTURE": bytes_column(card), "K": np.array([[6]])})
    of_own_id = caller.infer("similar", of_id(3, K=5))
    assert of_picture["PICTURES"].shape == of_picture["SCORES"].shape == (1, 6)
    assert 3 in of_picture["PICTURES"]
    assert 3 not in of_own_id["PICTURES"]
    assert (np.diff(of_own_id["SCORES"]) <= 0).all()
    rows = of_own_id["PICTURES"][0] - 1
    cosines = shipped.vectors[rows].astype(np.float32) @ shipped.vectors[2].astype(np.float32)
    np.testing.assert_allclose(of_own_id["SCORES"][0], cosines, atol=1e-4)


def test_similar_answers_each_row_of_a_batch(caller: Caller) -> None:
    together = caller.infer("similar", of_id(3, 14, 15, K=4))
    for row, picture in enumerate((3, 14, 15)):
        alone = caller.infer("similar", of_id(picture, K=4))
        assert together["PICTURES"][row].tolist() == alone["PICTURES"][0].tolist()


def test_similar_returns_ten_pictures_by_default(caller: Caller) -> None:
    assert caller.infer("similar", of_id(3))["PICTURES"].shape == (1, 10)


BAD: dict[str, tuple[str, Arrays, str]] = {
    "no image": ("embed", {"PICTURE": bytes_column(b"hello")}, "PICTURE: not an image"),
    "bad row": ("embed", {"PICTURE": bytes_column(CARD, b"hello")}, "PICTURE: not an image; .* (row 1 of 2)"),
    "bad title": ("embed", {"PICTURE": bytes_column(CARD), "TITLE": bytes_column(b"\xff")}, "TITLE: not UTF-8"),
    "damaged": ("similar", {"PICTURE": bytes_column(CARD[:900])}, "PICTURE: the image is damaged"),
    "nothing": ("similar", {"PICTURE": bytes_column(b"")}, "PICTURE: empty"),
    "unknown id": ("similar", of_id(401), "PICTURE_ID: not in this gallery of 400 pictures"),
    "both": ("similar", of_id(3) | {"PICTURE": bytes_column(CARD)}, "PICTURE_ID: expected either"),
    "no neighbors": ("similar", of_id(3, K=0), "K: expected 1 to 100 pictures"),
    "too many": ("similar", of_id(3, K=101), "K: expected 1 to 100 pictures"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_request_fails_alone(caller: Caller, kind: str) -> None:
    model, inputs, message = BAD[kind]
    with pytest.raises(Refused) as refused:
        caller.infer(model, inputs)
    assert refused.value.status == BAD_REQUEST[caller.protocol]
    assert all(part in str(refused.value) for part in message.split(".*"))
    assert "/" not in str(refused.value)
    assert caller.infer("similar", of_id(3))["PICTURES"].shape == (1, 10)


def test_json_over_http(triton: Server, shipped: Gallery) -> None:
    inputs: list[dict[str, Any]] = [
        json_input("PICTURE") | {"data": [""]},
        json_input("PICTURE_ID", "INT64") | {"data": [3]},
        json_input("K", "INT64") | {"data": [5]},
    ]
    answer = post(triton, "similar", json.dumps({"inputs": inputs}).encode())
    outputs = {output["name"]: output for output in answer["outputs"]}
    assert {name: output["shape"] for name, output in outputs.items()} == {"PICTURES": [1, 5], "SCORES": [1, 5]}
    assert set(outputs["PICTURES"]["data"]) <= set(shipped.ids.tolist())
