"""The v2 protocol over gRPC, for threads, and what both gRPC transports share."""

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Final

import tritonclient.grpc as protocol
from tritonclient.utils import InferenceServerException

from genderclient._config.connection_options import ConnectionOptions
from genderclient._transports.base import InferenceRequest, InferenceResponse, Status, TransportError, refine_status
from genderclient._transports.credentials import Credentials
from genderclient._transports.triton_tensors import from_triton, to_triton
from genderclient._transports.url import ServerUrl

_STATUSES: Final = {
    "StatusCode.INVALID_ARGUMENT": Status.INVALID_ARGUMENT,
    "StatusCode.DEADLINE_EXCEEDED": Status.DEADLINE_EXCEEDED,
    "StatusCode.UNAVAILABLE": Status.UNAVAILABLE,
    # The client's own channel was closed.
    "StatusCode.CANCELLED": Status.UNAVAILABLE,
    "StatusCode.NOT_FOUND": Status.NOT_FOUND,
    "StatusCode.UNIMPLEMENTED": Status.GARBLED,
    "StatusCode.UNAUTHENTICATED": Status.DENIED,
    "StatusCode.PERMISSION_DENIED": Status.DENIED,
    "StatusCode.RESOURCE_EXHAUSTED": Status.OVERLOADED,
}

# If the server stops reading while a request is half written, gRPC does not keep the deadline. For larger requests the
# calling thread keeps it. Smaller ones fit the system's send buffer, unless other requests fill it. The system closes
# such a connection after TCP_USER_TIMEOUT, which gRPC sets only on channels with a keepalive time.
SMALL_BYTES: Final = 2**16
STALLED_MS: Final = 10_000
NEVER_MS: Final = 2**31 - 2


def channel_args(options: ConnectionOptions) -> list[tuple[str, int]]:
    """The arguments of a channel. They replace all defaults of tritonclient."""
    keepalive = (
        [
            ("grpc.keepalive_time_ms", round(1000 * options.keepalive_s)),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 0),
        ]
        if options.keepalive_s
        else [("grpc.keepalive_time_ms", NEVER_MS)]
    )
    return [
        *keepalive,
        ("grpc.keepalive_timeout_ms", STALLED_MS),
        ("grpc.max_send_message_length", options.max_message_bytes),
        ("grpc.max_receive_message_length", options.max_message_bytes),
        # Reconnects to a restarted server within two seconds instead of two minutes.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2000),
        # Gives up on a server that accepts but stays silent after five seconds instead of twenty.
        ("grpc.min_reconnect_backoff_ms", 5000),
        # A new client opens its own connection instead of waiting for one that hangs.
        ("grpc.use_local_subchannel_pool", 1),
        # HTTP proxies of the environment do not apply.
        ("grpc.enable_http_proxy", 0),
    ]


def call_arguments(request: InferenceRequest, credentials: Credentials, options: ConnectionOptions) -> dict[str, Any]:
    """The arguments of tritonclient's `infer`."""
    return {
        "model_name": request.model,
        "model_version": request.version,
        "request_id": request.request_id,
        "client_timeout": request.timeout_s,
        "headers": {**credentials.headers, **request.headers},
        "compression_algorithm": options.compression,
        "inputs": to_triton(request.inputs, protocol),
    }


def decode_result(result: Any) -> InferenceResponse:
    """Converts tritonclient's `InferResult`."""
    message = result.get_response()
    outputs = from_triton(result, (output.name for output in message.outputs))
    return InferenceResponse(model=message.model_name, version=message.model_version, outputs=outputs)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Converts errors of tritonclient and of waiting into TransportError."""
    try:
        yield
    except TimeoutError as exc:
        raise TransportError(Status.DEADLINE_EXCEEDED, "deadline passed") from exc
    except InferenceServerException as exc:
        message = str(exc.message())
        raise TransportError(refine_status(_STATUSES.get(exc.status(), Status.FAILED), message), message) from exc


class GrpcTransport:
    """One channel, shared by all threads."""

    def __init__(self, url: ServerUrl, credentials: Credentials, options: ConnectionOptions) -> None:
        self._credentials = credentials
        self._options = options
        self._client = protocol.InferenceServerClient(
            url.address, channel_args=channel_args(options), **credentials.grpc_options(url)
        )

    def infer(self, request: InferenceRequest) -> InferenceResponse:
        arguments = call_arguments(request, self._credentials, self._options)
        is_small = sum(tensor.nbytes for tensor in request.inputs) <= SMALL_BYTES
        with translated_errors():
            return decode_result(self._client.infer(**arguments) if is_small else self._infer_large(**arguments))

    def close(self) -> None:
        self._client.close()

    def _infer_large(self, *, client_timeout: float, **arguments: Any) -> Any:
        """Does what tritonclient's `infer` does, but keeps the deadline."""
        future: Future[Any] = Future()

        def complete(result: Any, error: InferenceServerException | None) -> None:
            if error:
                future.set_exception(error)
            else:
                future.set_result(result)

        call = self._client.async_infer(callback=complete, client_timeout=client_timeout, **arguments)
        try:
            return future.result(client_timeout)
        finally:
            call.cancel()
