"""The v2 protocol over gRPC, for the tasks of an event loop."""

import asyncio

import grpc

from genderclient._compat import is_being_cancelled, timeout
from genderclient._config.connection_options import ConnectionOptions
from genderclient._transports.base import InferenceRequest, InferenceResponse, Status, TransportError
from genderclient._transports.credentials import Credentials
from genderclient._transports.grpc import (
    INFER,
    call_arguments,
    decode_response,
    encode_request,
    open_channel,
    translated_errors,
)
from genderclient._transports.url import ServerUrl


class AsyncGrpcTransport:
    """One channel, shared by all tasks. Cancelling a task cancels its request on the server."""

    def __init__(self, url: ServerUrl, credentials: Credentials, options: ConnectionOptions) -> None:
        self._credentials = credentials
        self._options = options
        self._closed = False
        self._channel = open_channel(grpc.aio, url, credentials, options)
        self._infer = self._channel.unary_unary(INFER)

    async def infer(self, request: InferenceRequest) -> InferenceResponse:
        message = encode_request(request)
        arguments = call_arguments(request, self._credentials, self._options)
        try:
            with translated_errors():
                # gRPC sends the deadline to the server but does not keep it while a request is half written.
                async with timeout(request.timeout_s):
                    return decode_response(await self._infer(message, **arguments))
        except asyncio.CancelledError as exc:
            # gRPC raises this for a cancelled task and for a closed channel.
            if not self._closed or is_being_cancelled():
                raise
            raise TransportError(Status.UNAVAILABLE, "the connection was closed") from exc

    async def close(self) -> None:
        self._closed = True
        await self._channel.close()
