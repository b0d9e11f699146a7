"""The v2 protocol over HTTP, for the tasks of an event loop."""

import asyncio
import socket
from concurrent.futures import Future
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from genderclient._compat import timeout
from genderclient._config.connection_options import ConnectionOptions
from genderclient._transports.base import InferenceRequest, InferenceResponse
from genderclient._transports.connection import HttpResponse, ResponseTooLarge, enable_keepalive
from genderclient._transports.credentials import Credentials
from genderclient._transports.http_messages import decode_response, encode_request, translated_errors
from genderclient._transports.lookup import Addresses, look_up
from genderclient._transports.url import ServerUrl

_LOST = (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError)
_MALFORMED = (aiohttp.ClientError, ResponseTooLarge)


class AsyncHttpTransport:
    """A pool of kept-alive connections that grows to the number of concurrent requests.

    Create it inside the event loop.
    """

    def __init__(self, url: ServerUrl, credentials: Credentials, options: ConnectionOptions) -> None:
        self._url = url
        self._options = options
        self._session = aiohttp.ClientSession(
            str(url),
            connector=aiohttp.TCPConnector(
                limit=0,
                ssl=credentials.ssl_context(url) or True,
                resolver=_Resolver(),
                socket_factory=self._open_socket,
            ),
            headers=credentials.headers,
            # aiohttp's own limits would end requests with a longer timeout.
            timeout=aiohttp.ClientTimeout(),
            # Requests are independent, as in the sync transport.
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=["Accept-Encoding"],
        )

    async def infer(self, request: InferenceRequest) -> InferenceResponse:
        path, headers, body = encode_request(request, self._options)
        with translated_errors(self._url, lost=_LOST, malformed=_MALFORMED):
            async with (
                timeout(request.timeout_s),
                self._session.post(path, data=body, headers=headers, allow_redirects=False) as reply,
            ):
                response = HttpResponse(reply.status, reply.headers, await self._read(reply))
        return decode_response(response, self._options)

    async def close(self) -> None:
        await self._session.close()

    async def _read(self, reply: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in reply.content.iter_any():
            body += chunk
            if len(body) > self._options.max_message_bytes:
                raise ResponseTooLarge(self._options.max_message_bytes)
        return bytes(body)

    def _open_socket(self, address: tuple[Any, ...]) -> socket.socket:
        """Opens the socket for an address of `getaddrinfo`."""
        family, kind, protocol, *_ = address
        plain = socket.socket(family, kind, protocol)
        if self._options.keepalive_s:
            enable_keepalive(plain, self._options.keepalive_s)
        return plain


class _Resolver(AbstractResolver):
    """Looks up names like the sync transport. With aiohttp's own, the end of the event loop waits for hung lookups."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=ip, port=port, family=kind, proto=protocol, flags=numeric)
            for kind, _, protocol, _, (ip, port, *_) in await _cancellable(look_up(host, port))
        ]

    async def close(self) -> None:
        """Nothing is open."""


async def _cancellable(shared: Future[Addresses]) -> Addresses:
    """Waits for a lookup that must not be cancelled."""
    own = Future[Addresses]()

    def copy(done: Future[Addresses]) -> None:
        if own.set_running_or_notify_cancel():
            if error := done.exception():
                own.set_exception(error)
            else:
                own.set_result(done.result())

    shared.add_done_callback(copy)
    return await asyncio.wrap_future(own)
