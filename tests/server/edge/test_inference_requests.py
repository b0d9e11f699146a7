"""Which HTTP inferences the reverse proxy forwards: those whose JSON is shallow and whose shapes match their data."""

import json
from typing import Any

import pytest

from reliability.malformed.requests.parts import element
from tests.support.server.edge import INFER, SHOP, Edge, HttpResponse, bearer
from tests.support.tritonserver import Server
from tests.support.waiting import ends_soon

LENGTH = "inference-header-content-length"
# Claims of this many elements make Triton abort.
HUGE = 10**15
AVATAR = {"name": "AVATAR", "shape": [1, 1], "datatype": "BYTES", "data": [""]}
NICKNAME = {**AVATAR, "name": "NICKNAME", "data": ["小美"]}
BOTH = json.dumps({"inputs": [AVATAR, NICKNAME]})


def post(edge: Edge, body: bytes, **headers: str) -> HttpResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return edge.http("POST", INFER.path, bearer(SHOP) | named, body)


def request(**avatar: Any) -> str:
    """Return a JSON request whose first input has other fields; None removes one."""
    changed = {name: value for name, value in {**AVATAR, **avatar}.items() if value is not None}
    return json.dumps({"inputs": [changed, NICKNAME]})


def nested(depth: int) -> str:
    return BOTH[:-1] + ', "parameters": {"a": ' + "[" * depth + "]" * depth + "}}"


ACCEPTED = {
    "JSON": BOTH,
    "nested data": request(data=[[""]]),
    "escaped quotes, brackets and colons": BOTH.replace("\\u5c0f", '\\\\\\": [{').replace(":", " : "),
    "id, parameters and outputs": BOTH[:-1]
    + ', "id": "小 1", "parameters": {"timeout": 9000000, "b": true}, "outputs": [{"name": "WEIGHTS"}]}',
    "classification": BOTH[:-1] + ', "outputs": [{"name": "PROBABILITIES", "parameters": {"classification": 2}}]}',
}
REJECTED = {
    "claimed elements": request(shape=[HUGE], datatype="INT8", data=[1]),
    "claimed elements that overflow": request(shape=[2**32, 2**32]),
    "claimed elements beside none": request(shape=[2**23] * 7 + [0], data=[]),
    "negative dimension": request(shape=[-1, -1]),
    "fraction": request(shape=[1.5, 1]),
    "no shape": request(shape=None),
    "66 kB of brackets": "[" * 33_000 + "]" * 33_000,
    "32 levels": nested(32),
    "repeated shape": BOTH.replace('"shape": [1, 1]', f'"shape": [{HUGE}], "shape": [1, 1]', 1),
    "repeated and escaped shape": BOTH.replace('"shape": [1, 1]', f'"sh\\u0061pe": [{HUGE}], "shape": [1, 1]', 1),
    "prototype": BOTH.replace('"shape"', f'"__proto__": {{"shape": [{HUGE}]}}, "shape"', 1),
    "shared memory": request(data=None, parameters={"shared_memory_region": "a", "shared_memory_byte_size": 4}),
    "more data than elements": request(data=["", ""]),
    "numbers for strings": request(data=[1]),
    "unknown datatype": request(datatype="toString"),
    "null parameters": request(parameters=None).replace('"datatype"', '"parameters": null, "datatype"', 1),
    "binary data in JSON only": request(data=None, parameters={"binary_data_size": 4}),
    "many classes": BOTH[:-1] + ', "outputs": [{"name": "WEIGHTS", "parameters": {"classification": 1000000000}}]}',
    "another member": BOTH[:-1] + ', "x": 1}',
    "no inputs": "{}",
    "text after the JSON": BOTH + "{}",
    "not JSON": "\0",
}


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED)
def test_valid_json_is_forwarded(edge: Edge, body: str) -> None:
    response = post(edge, body.encode())
    assert response.status == 200, response.text


def test_backslash_before_a_quote_ends_the_string_if_it_is_escaped_itself(edge: Edge) -> None:
    hidden = BOTH.replace('"shape": [1, 1]', f'"shape": [{HUGE}], "shape": [1, 1]', 1)
    for id_, status in (("\\\\", 200), ('\\\\\\"', 200), ('\\"', 200), ("\\", 400)):
        assert post(edge, BOTH.replace("{", f'{{"id": "{id_}", ', 1).encode()).status == status, id_
        assert post(edge, hidden.replace("{", f'{{"id": "{id_}", ', 1).encode()).status == 400, id_


def test_long_json_does_not_occupy_the_proxy(edge: Edge) -> None:
    """njs took seconds for each of these, and nginx answers no other request meanwhile."""
    for part in ('\\"', "\\\\", "\\u0061"):
        data = part * (98_000 // len(part))
        with ends_soon():
            response = post(edge, BOTH.replace('""', f'"{data}"', 1).encode())
        # Triton's answer, through the proxy: it is no picture.
        assert "AVATAR: not an image" in response.text


@pytest.mark.parametrize("body", REJECTED.values(), ids=REJECTED)
def test_other_json_is_rejected_without_being_quoted(edge: Edge, triton: Server, body: str) -> None:
    response = post(edge, body.encode())
    assert (response.status, response.error) == (400, "malformed")
    assert str(HUGE) not in response.text
    assert triton.process.poll() is None


@pytest.mark.parametrize(
    ("tensor", "shape", "datatype"),
    [
        (b"", [1, 1], "BYTES"),
        (b"\5\0\0\0abcd", [1, 1], "BYTES"),
        (b"\xff\xff\xff\xffabcd", [1, 1], "BYTES"),
        (element(b"a") * 2, [1, 1], "BYTES"),
        (element(b"") * 5000, [5000, 1], "BYTES"),
        (bytes(7), [2], "INT32"),
        (bytes(8), [HUGE], "INT64"),
    ],
)
def test_binary_tensor_must_have_the_size_of_its_shape(
    edge: Edge, tensor: bytes, shape: list[int], datatype: str
) -> None:
    parameters = {"binary_data_size": len(tensor)}
    head = request(shape=shape, datatype=datatype, data=None, parameters=parameters).encode()
    response = post(edge, head + tensor, **{LENGTH: str(len(head))})
    assert (response.status, response.error) == (400, "malformed")


@pytest.mark.parametrize(("size", "length"), [(5, 0), (3, 0), (-4, 0), (4.0e30, 0), (4, 1), (4, -1), (4, 10_000)])
def test_lengths_must_add_up_to_the_body(edge: Edge, size: float, length: int) -> None:
    head = request(data=None, parameters={"binary_data_size": size}).encode()
    response = post(edge, head + bytes(4), **{LENGTH: str(len(head) + length)})
    assert (response.status, response.error) == (400, "malformed")
