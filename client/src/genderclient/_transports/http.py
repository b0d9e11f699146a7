"""The v2 protocol over HTTP, for threads."""

import threading
from collections.abc import Mapping
from http.client import HTTPException, IncompleteRead

from genderclient._config.connection_options import ConnectionOptions
from genderclient._transports.base import InferenceRequest, InferenceResponse
from genderclient._transports.connection import Connection, Deadline, HttpResponse
from genderclient._transports.credentials import Credentials
from genderclient._transports.http_messages import decode_response, encode_request, translated_errors
from genderclient._transports.url import ServerUrl


class HttpTransport:
    """A pool of kept-alive connections that grows to the number of concurrent requests."""

    def __init__(self, url: ServerUrl, credentials: Credentials, options: ConnectionOptions) -> None:
        self._url = url
        self._options = options
        self._headers = credentials.headers
        self._ssl = credentials.ssl_context(url)
        self._idle: list[Connection] = []
        self._closed = False
        self._lock = threading.Lock()

    def infer(self, request: InferenceRequest) -> InferenceResponse:
        response = self.post(*encode_request(request, self._options), request.timeout_s)
        return decode_response(response, self._options)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            while self._idle:
                self._idle.pop().close()

    def post(self, path: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> HttpResponse:
        """Sends a POST and returns the response, whatever its code."""
        deadline = Deadline.after(timeout_s)
        with translated_errors(self._url, lost=(IncompleteRead,), malformed=(HTTPException,)):
            connection = self._acquire()
            try:
                response = connection.exchange("POST", path, deadline, body=body, headers={**headers, **self._headers})
            except BaseException:
                connection.close()
                raise
            self._release(connection)
            return response

    def _acquire(self) -> Connection:
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                if connection.is_reusable():
                    return connection
                connection.close()
        return Connection(
            self._url.host,
            self._url.port,
            self._ssl,
            max_bytes=self._options.max_message_bytes,
            keepalive_s=self._options.keepalive_s,
        )

    def _release(self, connection: Connection) -> None:
        with self._lock:
            if self._closed:
                connection.close()
            else:
                self._idle.append(connection)
