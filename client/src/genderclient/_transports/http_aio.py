"""The v2 protocol over HTTP, for an event loop; tritonclient frames the messages, aiohttp carries them."""

import asyncio

import aiohttp

from genderclient._transports.base import InferenceRequest, InferenceResponse, Status, TransportError
from genderclient._transports.connection import Reply
from genderclient._transports.credentials import Access
from genderclient._transports.http import message, response
from genderclient._transports.options import ConnectionOptions
from genderclient._transports.url import ServerUrl


class AsyncHttpTransport:
    """Kept-alive connections, as many as there are requests at the same time; to be made inside the event loop."""

    def __init__(self, url: ServerUrl, access: Access, options: ConnectionOptions) -> None:
        self._url = url
        self._options = options
        connector = aiohttp.TCPConnector(limit=0, ssl=access.ssl_context(url) or True)
        self._session = aiohttp.ClientSession(
            str(url),
            connector=connector,
            headers=access.headers,
            auto_decompress=False,
            skip_auto_headers=["Accept-Encoding"],
        )

    async def infer(self, request: InferenceRequest) -> InferenceResponse:
        return response(await self._send(request), self._options)

    async def close(self) -> None:
        await self._session.close()

    async def _send(self, request: InferenceRequest) -> Reply:
        path, headers, body = message(request, self._options)
        try:
            async with (
                asyncio.timeout(request.timeout_s),
                self._session.post(path, data=body, headers=headers) as answer,
            ):
                return Reply(answer.status, answer.headers, await self._read(answer))
        except TimeoutError as exc:
            raise TransportError(Status.DEADLINE_EXCEEDED, f"{self._url}: deadline passed") from exc
        except (OSError, aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError) as exc:
            raise TransportError(Status.UNAVAILABLE, f"{self._url}: {exc}") from exc
        except aiohttp.ClientError as exc:
            raise TransportError(Status.GARBLED, f"{self._url}: no HTTP answer: {type(exc).__name__}") from exc

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for part in answer.content.iter_any():
            body += part
            if len(body) > self._options.max_message_bytes:
                limit = self._options.max_message_bytes
                raise TransportError(Status.GARBLED, f"{self._url}: the answer has over {limit} bytes")
        return bytes(body)
