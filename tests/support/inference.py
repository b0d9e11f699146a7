"""Call a live Triton without this project's SDK: by tritonclient, and by JSON over HTTP."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import tritonclient.grpc
import tritonclient.http
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from tests.support.tritonserver import Server

Arrays = dict[str, NDArray[Any]]

# The status of a bad request in each protocol.
BAD_REQUEST = {"grpc": "StatusCode.INVALID_ARGUMENT", "http": "400"}


class Refused(Exception):
    """The server refused the request."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Caller:
    """Plain tritonclient with one of its protocols, `grpc` or `http`."""

    protocol: str
    client: Any

    def infer(self, model: str, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[Any] | None = None) -> Arrays:
        """Return all outputs by name, or the requested ones. Raises Refused."""
        try:
            result = self.client.infer(model, request_inputs(self.protocol, inputs), outputs=outputs)
        except InferenceServerException as exc:
            raise Refused(str(exc.status()), str(exc.message())) from exc
        response = result.get_response()
        names = [o["name"] for o in response["outputs"]] if isinstance(response, dict) else _names(response)
        return {name: result.as_numpy(name) for name in names}


@contextmanager
def calling(server: Server, protocol: str) -> Iterator[Caller]:
    url = {"grpc": server.grpc_url, "http": server.http_url}[protocol]
    with _module(protocol).InferenceServerClient(url) as client:
        yield Caller(protocol, client)


def requested(protocol: str, name: str, **options: Any) -> Any:
    """An output to request."""
    return _module(protocol).InferRequestedOutput(name, **options)


def request_inputs(protocol: str, inputs: Mapping[str, NDArray[Any]]) -> list[Any]:
    """tritonclient's inputs with the shapes and types of the arrays."""
    result = []
    for name, array in inputs.items():
        tensor = _module(protocol).InferInput(name, array.shape, np_to_triton_dtype(array.dtype))
        tensor.set_data_from_numpy(array)
        result.append(tensor)
    return result


def users(*rows: tuple[bytes, bytes]) -> Arrays:
    """The ensembles' inputs for users of encoded avatar and UTF-8 nickname."""
    avatars, nicknames = zip(*rows, strict=True)
    return {"AVATAR": bytes_column(*avatars), "NICKNAME": bytes_column(*nicknames)}


def post(server: Server, model: str, body: bytes, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """POST a body to the v2 protocol's `infer` and return the JSON of the response. Raises Refused."""
    url = f"http://{server.http_url}/v2/models/{model}/infer"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, dict(headers or {})), timeout=30) as response:
            answer: dict[str, Any] = json.loads(response.read())
            return answer
    except urllib.error.HTTPError as exc:
        raise Refused(str(exc.code), json.loads(exc.read())["error"]) from exc


def post_user(server: Server, model: str, avatar: bytes, nickname: str) -> dict[str, Any]:
    """Send one user by the binary extension of the v2 protocol: a JSON header, then the avatar's length and bytes."""
    return post_binary(server, model, len(avatar).to_bytes(4, "little") + avatar, nickname)


def post_binary(server: Server, model: str, avatar: bytes, nickname: str) -> dict[str, Any]:
    """Like `post_user`, but `avatar` is the raw tensor."""
    head = json.dumps(
        {
            "inputs": [
                json_input("AVATAR") | {"parameters": {"binary_data_size": len(avatar)}},
                json_input("NICKNAME") | {"data": [nickname]},
            ]
        }
    ).encode()
    return post(server, model, head + avatar, {"Inference-Header-Content-Length": str(len(head))})


def json_input(name: str, datatype: str = "BYTES", shape: Sequence[int] = (1, 1)) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": list(shape)}


def _module(protocol: str) -> Any:
    return {"grpc": tritonclient.grpc, "http": tritonclient.http}[protocol]


def _names(response: Any) -> list[str]:
    return [output.name for output in response.outputs]


def bytes_column(*values: bytes) -> NDArray[Any]:
    """Return a column of BYTES, [B, 1]."""
    # dtype S would drop trailing zeros, which image files have.
    column = np.empty((len(values), 1), np.object_)
    column[:, 0] = values
    return column
