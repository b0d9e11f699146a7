"""The v2 protocol over HTTP.

tritonclient frames the messages. Its HTTP client itself is not used: it may serve one thread only, leaves two file
descriptors behind for each thread that had one, and times single reads instead of the whole request.
"""

import gzip
import http.client
import json
import threading
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

import tritonclient.http as protocol
from tritonclient.utils import InferenceServerException

from genderclient._transports import tensors
from genderclient._transports.base import InferenceRequest, InferenceResponse, Status, TransportError, refined
from genderclient._transports.connection import Connection, Deadline, Reply
from genderclient._transports.credentials import Access
from genderclient._transports.options import ConnectionOptions
from genderclient._transports.url import ServerUrl

HEADER_LENGTH: Final = "Inference-Header-Content-Length"
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


class HttpTransport:
    """Kept-alive connections, as many as there are requests at the same time."""

    def __init__(self, url: ServerUrl, access: Access, options: ConnectionOptions) -> None:
        self._url = url
        self._options = options
        self._headers = access.headers
        self._ssl = access.ssl_context(url)
        self._idle: list[Connection] = []
        self._closed = False
        self._lock = threading.Lock()

    def infer(self, request: InferenceRequest) -> InferenceResponse:
        return response(self.post(*message(request, self._options), request.timeout_s), self._options)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            while self._idle:
                self._idle.pop().close()

    def post(self, path: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> Reply:
        """What the server answers, whatever it is. Raises TransportError where nothing comes in time."""
        try:
            return self._post(path, headers, body, Deadline.after(timeout_s))
        except TimeoutError as exc:
            raise TransportError(Status.DEADLINE_EXCEEDED, f"{self._url}: {exc}") from exc
        except (OSError, http.client.IncompleteRead) as exc:
            raise TransportError(Status.UNAVAILABLE, f"{self._url}: {exc}") from exc
        except http.client.HTTPException as exc:
            raise TransportError(Status.GARBLED, f"{self._url}: no HTTP answer: {exc or type(exc).__name__}") from exc

    def _post(self, path: str, headers: Mapping[str, str], body: bytes, deadline: Deadline) -> Reply:
        connection = self._take()
        try:
            reply = connection.ask("POST", path, deadline, body=body, headers={**headers, **self._headers})
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)
        return reply

    def _take(self) -> Connection:
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                if connection.is_reusable():
                    return connection
                connection.close()
        options = self._options
        return Connection(
            self._url.host,
            self._url.port,
            self._ssl,
            max_bytes=options.max_message_bytes,
            keepalive_s=options.keepalive_s,
        )

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            if self._closed:
                connection.close()
            else:
                self._idle.append(connection)


def message(request: InferenceRequest, options: ConnectionOptions) -> tuple[str, dict[str, str], bytes]:
    """Path, headers and body of the POST. Raises TransportError for a body over the limit."""
    arguments = tensors.arguments(request, protocol)
    body, header_length = protocol.InferenceServerClient.generate_request_body(
        request_id=request.request_id, **arguments
    )
    headers = {HEADER_LENGTH: str(header_length), **request.headers}
    if options.compression:
        body = gzip.compress(body) if options.compression == "gzip" else zlib.compress(body)
        headers |= {"Content-Encoding": options.compression, "Accept-Encoding": options.compression}
    if len(body) > options.max_message_bytes:
        raise TransportError(Status.TOO_LARGE, f"the request is larger than max_message_bytes: {len(body)}")
    return f"/v2/models/{quote(request.model, safe='')}/infer", headers, body


def response(reply: Reply, options: ConnectionOptions) -> InferenceResponse:
    """The response in what the server sent. Raises TransportError where it is none."""
    reply = _decompressed(reply, options.max_message_bytes)
    if reply.code != 200:
        raise failed(reply)
    try:
        result = protocol.InferenceServerClient.parse_response_body(
            reply.body, header_length=reply.headers.get(HEADER_LENGTH)
        )
        header: dict[str, Any] = result.get_response()
        model, version = header["model_name"], header.get("model_version", "")
        names = [output["name"] for output in header["outputs"]]
    except (AttributeError, KeyError, TypeError, ValueError, InferenceServerException) as exc:
        raise TransportError(Status.GARBLED, "the answer does not follow the v2 protocol") from exc
    return tensors.response(result, model=model, version=version, names=names)


def _decompressed(reply: Reply, max_bytes: int) -> Reply:
    if reply.headers.get("Content-Encoding", "identity") == "identity":
        return reply
    try:
        # Reads both formats; a few bytes can stand for gigabytes.
        stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        body = stream.decompress(reply.body, max_bytes)
    except zlib.error as exc:
        raise TransportError(Status.GARBLED, "the answer is not compressed as it says") from exc
    if not stream.eof:
        raise TransportError(Status.GARBLED, f"the answer has over {max_bytes} bytes, or is cut off")
    return replace(reply, body=body)


def failed(reply: Reply) -> TransportError:
    """Why there is no response, from an answer whose code is not 200."""
    status = _STATUSES.get(reply.code, Status.FAILED)
    try:
        explained = str(json.loads(reply.body)["error"])
    except (KeyError, TypeError, ValueError):
        # Triton explains its own errors; a proxy's "503" still means what it says, but its "404" is about no model.
        ours = status in (Status.INVALID_ARGUMENT, Status.NOT_FOUND)
        return TransportError(Status.GARBLED if ours else status, f"HTTP {reply.code} without an explanation")
    return TransportError(refined(status, explained), explained)
