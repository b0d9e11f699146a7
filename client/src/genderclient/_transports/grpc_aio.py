"""The v2 protocol over gRPC, for an event loop."""

import asyncio

import tritonclient.grpc as protocol
import tritonclient.grpc.aio as aio
from tritonclient.utils import InferenceServerException

from genderclient._transports import tensors
from genderclient._transports.base import InferenceRequest, InferenceResponse, Status, TransportError
from genderclient._transports.credentials import Access
from genderclient._transports.grpc import channel, failure, response
from genderclient._transports.options import ConnectionOptions
from genderclient._transports.url import ServerUrl


class AsyncGrpcTransport:
    """One channel, shared by all tasks; cancelling a task tells the server."""

    def __init__(self, url: ServerUrl, access: Access, options: ConnectionOptions) -> None:
        self._headers = access.headers
        self._compression = options.compression
        self._client = aio.InferenceServerClient(url.address, channel_args=channel(options), **access.grpc_options(url))

    async def infer(self, request: InferenceRequest) -> InferenceResponse:
        arguments = tensors.arguments(request, protocol)
        try:
            # The server is told the deadline too, but gRPC itself does not keep it where a request is half written.
            async with asyncio.timeout(request.timeout_s):
                result = await self._client.infer(
                    request.model,
                    request_id=request.request_id,
                    client_timeout=request.timeout_s,
                    headers={**self._headers, **request.headers},
                    compression_algorithm=self._compression,
                    **arguments,
                )
        except TimeoutError as exc:
            raise TransportError(Status.DEADLINE_EXCEEDED, "no answer in time") from exc
        except InferenceServerException as exc:
            raise failure(exc) from exc
        except asyncio.CancelledError as exc:
            # gRPC says the same to a task that is cancelled and to one whose channel is closed; a task knows.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise TransportError(Status.UNAVAILABLE, "the connection was closed") from exc
        return response(result)

    async def close(self) -> None:
        await self._client.close()
