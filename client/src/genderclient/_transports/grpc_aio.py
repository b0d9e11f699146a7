"""The v2 protocol over gRPC, for the tasks of an event loop."""

import asyncio

import tritonclient.grpc.aio as protocol

from genderclient._config.connection_options import ConnectionOptions
from genderclient._transports.base import InferenceRequest, InferenceResponse, Status, TransportError
from genderclient._transports.credentials import Credentials
from genderclient._transports.grpc import call_arguments, channel_args, decode_result, translated_errors
from genderclient._transports.url import ServerUrl


class AsyncGrpcTransport:
    """One channel, shared by all tasks. Cancelling a task cancels its request on the server."""

    def __init__(self, url: ServerUrl, credentials: Credentials, options: ConnectionOptions) -> None:
        self._credentials = credentials
        self._options = options
        self._client = protocol.InferenceServerClient(
            url.address, channel_args=channel_args(options), **credentials.grpc_options(url)
        )

    async def infer(self, request: InferenceRequest) -> InferenceResponse:
        arguments = call_arguments(request, self._credentials, self._options)
        try:
            with translated_errors():
                # gRPC sends the deadline to the server but does not keep it while a request is half written.
                async with asyncio.timeout(request.timeout_s):
                    return decode_result(await self._client.infer(**arguments))
        except asyncio.CancelledError as exc:
            # gRPC raises this for a cancelled task and for a closed channel; only a cancelled task knows of it.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise TransportError(Status.UNAVAILABLE, "the connection was closed") from exc

    async def close(self) -> None:
        await self._client.close()
