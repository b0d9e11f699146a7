"""The v2 protocol over HTTP without I/O: requests, responses and errors, shared by threads and tasks."""

import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from genderclient._config.connection_options import ConnectionOptions
from genderclient._transports.base import (
    InferenceRequest,
    InferenceResponse,
    Status,
    TransportError,
    parse_delay,
    refine_status,
)
from genderclient._transports.connection import HttpResponse, ResponseTooLarge
from genderclient._transports.contents import from_bytes, from_values, to_bytes
from genderclient._transports.tensors import Tensor
from genderclient._transports.url import ServerUrl

HEADER_LENGTH: Final = "Inference-Header-Content-Length"
_SIZE: Final = "binary_data_size"
_STATUSES: Final = {
    400: Status.INVALID_ARGUMENT,
    401: Status.DENIED,
    403: Status.DENIED,
    404: Status.NOT_FOUND,
    411: Status.GARBLED,
    413: Status.TOO_LARGE,
    415: Status.GARBLED,
    429: Status.OVERLOADED,
    502: Status.UNAVAILABLE,
    503: Status.UNAVAILABLE,
    504: Status.UNAVAILABLE,
}


def encode_request(request: InferenceRequest, options: ConnectionOptions) -> tuple[str, dict[str, str], bytes]:
    """Returns path, headers and body of the POST."""
    contents = [to_bytes(tensor) for tensor in request.inputs]
    inputs = [
        {"name": tensor.name, "shape": tensor.shape, "datatype": tensor.datatype, "parameters": {_SIZE: len(content)}}
        for tensor, content in zip(request.inputs, contents, strict=True)
    ]
    header = {"id": request.request_id, "inputs": inputs, "parameters": {"binary_data_output": True}}
    text = json.dumps(header).encode()
    body = b"".join([text, *contents])
    headers = {HEADER_LENGTH: str(len(text)), **request.headers}
    if options.compression:
        body = gzip.compress(body) if options.compression == "gzip" else zlib.compress(body)
        headers |= {"Content-Encoding": options.compression, "Accept-Encoding": options.compression}
    if len(body) > options.max_message_bytes:
        raise TransportError(Status.TOO_LARGE, f"the request is larger than max_message_bytes: {len(body)}")
    version = f"/versions/{quote(request.version, safe='')}" if request.version else ""
    return f"/v2/models/{quote(request.model, safe='')}{version}/infer", headers, body


def decode_response(response: HttpResponse, options: ConnectionOptions) -> InferenceResponse:
    """Parses the response. Raises TransportError if the server reports an error or violates the protocol."""
    response = _decompress(response, options.max_message_bytes)
    if response.code != 200:
        raise error_response(response)
    try:
        length = int(response.headers.get(HEADER_LENGTH, len(response.body)))
        header: dict[str, Any] = json.loads(response.body[:length])
        model, version = str(header["model_name"]), str(header.get("model_version", ""))
        outputs = tuple(_outputs(header["outputs"], response.body[length:]))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as exc:
        raise TransportError(Status.GARBLED, "the response does not follow the v2 protocol") from exc
    return InferenceResponse(model=model, version=version, outputs=outputs)


def _outputs(described: list[dict[str, Any]], contents: bytes) -> Iterator[Tensor]:
    """The outputs; those with a size have their contents behind the header, in order."""
    start = 0
    for output in described:
        name, datatype, shape = output["name"], output["datatype"], output["shape"]
        if (size := output.get("parameters", {}).get(_SIZE)) is None:
            yield from_values(name, datatype, shape, output["data"])
        else:
            yield from_bytes(name, datatype, shape, contents[start : start + size])
            start += size


def error_response(response: HttpResponse) -> TransportError:
    """Converts a response whose code is not 200."""
    if 300 <= response.code < 400:
        # It would send the avatar, the nickname and the token elsewhere, maybe unencrypted.
        return TransportError(Status.GARBLED, f"HTTP {response.code}: a redirect, which the client does not follow")
    status = _STATUSES.get(response.code, Status.FAILED)
    retry_after_s = parse_delay(response.headers.get("Retry-After", ""))
    try:
        message = str(json.loads(response.body)["error"])
    except (KeyError, TypeError, ValueError, RecursionError):
        # Triton's errors have a message. A proxy's 503 means the same as Triton's, but its 404 is not about a model.
        is_triton_only = status in (Status.INVALID_ARGUMENT, Status.NOT_FOUND)
        message = f"HTTP {response.code} without an explanation"
        return TransportError(Status.GARBLED if is_triton_only else status, message, retry_after_s)
    return TransportError(refine_status(status, message), message, retry_after_s)


@contextmanager
def translated_errors(
    url: ServerUrl, *, lost: tuple[type[Exception], ...], malformed: tuple[type[Exception], ...]
) -> Iterator[None]:
    """Converts errors of the network into TransportError.

    An HTTP library raises `lost`, besides OSError, for a lost connection, and `malformed` for an invalid response.
    """
    unavailable: tuple[type[Exception], ...] = (OSError, *lost)
    try:
        yield
    except TimeoutError as exc:
        raise TransportError(Status.DEADLINE_EXCEEDED, f"{url}: deadline passed") from exc
    except unavailable as exc:
        raise TransportError(refine_status(Status.UNAVAILABLE, str(exc)), f"{url}: {exc}") from exc
    except malformed as exc:
        # The message of any other error quotes the response, which may repeat the request.
        reason = str(exc) if isinstance(exc, ResponseTooLarge) else type(exc).__name__
        raise TransportError(Status.GARBLED, f"{url}: no HTTP response: {reason}") from None


def _decompress(response: HttpResponse, max_bytes: int) -> HttpResponse:
    if response.headers.get("Content-Encoding", "identity") == "identity":
        return response
    try:
        # Detects gzip and deflate. The limit matters: a few bytes can expand to gigabytes.
        stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        body = stream.decompress(response.body, max_bytes)
    except zlib.error as exc:
        raise TransportError(Status.GARBLED, "the response does not match its Content-Encoding") from exc
    if not stream.eof:
        raise TransportError(Status.GARBLED, f"the response has over {max_bytes} bytes, or is truncated")
    return replace(response, body=body)
