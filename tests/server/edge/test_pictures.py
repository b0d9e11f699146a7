"""The ensembles about pictures through the reverse proxy, over HTTP."""

import json
from typing import Any

import pytest

from tests.support.pictures import encode, noise
from tests.support.server.edge import SHOP, Edge, HttpResponse, bearer

NO_PICTURE = {"name": "PICTURE", "shape": [1, 1], "datatype": "BYTES", "data": [""]}
ID = {"name": "PICTURE_ID", "shape": [1, 1], "datatype": "INT64", "data": [3]}
K = {"name": "K", "shape": [1, 1], "datatype": "INT64", "data": [5]}


def ask(edge: Edge, model: str, *inputs: dict[str, Any], binary: bytes = b"") -> HttpResponse:
    """Send inputs as JSON, and `binary` behind it."""
    text = json.dumps({"inputs": inputs}).encode()
    headers = {"inference-header-content-length": str(len(text))} if binary else {}
    return edge.http("POST", f"/v2/models/{model}/infer", bearer(SHOP) | headers, text + binary)


def test_similar_answers_an_id(edge: Edge) -> None:
    response = ask(edge, "similar", NO_PICTURE, ID, K)
    outputs = {output["name"]: output["shape"] for output in json.loads(response.text)["outputs"]}
    assert (response.status, outputs) == (200, {"PICTURES": [1, 5], "SCORES": [1, 5]})


def test_embed_answers_a_binary_picture(edge: Edge) -> None:
    picture = encode(noise(64), "PNG")
    tensor = len(picture).to_bytes(4, "little") + picture
    described = {key: NO_PICTURE[key] for key in ("name", "shape", "datatype")}
    response = ask(edge, "embed", described | {"parameters": {"binary_data_size": len(tensor)}}, binary=tensor)
    outputs = {output["name"]: output["shape"] for output in json.loads(response.text)["outputs"]}
    assert (response.status, outputs) == (200, {"VECTOR": [1, 32], "TITLE_VECTOR": [1, 32]})


@pytest.mark.parametrize(
    "changed",
    [{"shape": [1, 10**15]}, {"data": [3, 4]}, {"data": ["3"]}, {"data": [3.5]}, {"datatype": "INT128"}],
    ids=["claimed elements", "more data", "text", "fraction", "datatype"],
)
def test_malformed_id_is_rejected(edge: Edge, changed: dict[str, Any]) -> None:
    response = ask(edge, "similar", NO_PICTURE, ID | changed)
    assert (response.status, response.error) == (400, "malformed")


def test_screen_answers_a_missing_picture(edge: Edge) -> None:
    response = ask(edge, "screen", NO_PICTURE)
    outputs = {output["name"]: output["data"] for output in json.loads(response.text)["outputs"]}
    assert (response.status, outputs["SUITABLE"], outputs["SCORES"]) == (200, [False], [0.0, 0.0])


@pytest.mark.parametrize("model", ["screener", "gallery", "picture_encoder", "similarity", "embed_x", "xsimilar"])
def test_other_models_are_not_served(edge: Edge, model: str) -> None:
    response = ask(edge, model, NO_PICTURE)
    assert (response.status, response.error) == (404, "not served here")
