"""The v2 protocol over gRPC, for threads, and what both gRPC transports share."""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError

from genderclient._config.connection_options import ConnectionOptions
from genderclient._transports.base import (
    InferenceRequest,
    InferenceResponse,
    Status,
    TransportError,
    parse_delay,
    refine_status,
)
from genderclient._transports.contents import from_bytes, from_values, to_bytes
from genderclient._transports.credentials import Credentials
from genderclient._transports.messages import SERVICE, ModelInferRequest, ModelInferResponse
from genderclient._transports.url import ServerUrl

INFER: Final = f"{SERVICE}/ModelInfer"
_STATUSES: Final = {
    grpc.StatusCode.INVALID_ARGUMENT: Status.INVALID_ARGUMENT,
    grpc.StatusCode.DEADLINE_EXCEEDED: Status.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNAVAILABLE: Status.UNAVAILABLE,
    # The client's own channel was closed.
    grpc.StatusCode.CANCELLED: Status.UNAVAILABLE,
    grpc.StatusCode.NOT_FOUND: Status.NOT_FOUND,
    grpc.StatusCode.UNIMPLEMENTED: Status.GARBLED,
    grpc.StatusCode.UNAUTHENTICATED: Status.DENIED,
    grpc.StatusCode.PERMISSION_DENIED: Status.DENIED,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Status.OVERLOADED,
}
_COMPRESSIONS: Final = {
    None: grpc.Compression.NoCompression,
    "deflate": grpc.Compression.Deflate,
    "gzip": grpc.Compression.Gzip,
}

# If the server stops reading while a request is half written, gRPC does not keep the deadline. For larger requests the
# calling thread keeps it. Smaller ones fit the system's send buffer, unless other requests fill it. The system closes
# such a connection after TCP_USER_TIMEOUT, which gRPC sets only on channels with a keepalive time.
SMALL_BYTES: Final = 2**16
STALLED_MS: Final = 10_000
NEVER_MS: Final = 2**31 - 2


def channel_args(options: ConnectionOptions) -> list[tuple[str, int]]:
    """The arguments of a channel."""
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


def open_channel(kind: ModuleType, url: ServerUrl, credentials: Credentials, options: ConnectionOptions) -> Any:
    """Opens a channel of `grpc` or `grpc.aio`."""
    arguments = channel_args(options)
    if not url.secure:
        return kind.insecure_channel(url.address, arguments)
    return kind.secure_channel(url.address, grpc.ssl_channel_credentials(*credentials.tls.read()), arguments)


def encode_request(request: InferenceRequest) -> bytes:
    """Returns the serialized `ModelInferRequest`."""
    message = ModelInferRequest(model_name=request.model, model_version=request.version, id=request.request_id)
    for tensor in request.inputs:
        message.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        message.raw_input_contents.append(to_bytes(tensor))
    return bytes(message.SerializeToString())


def call_arguments(request: InferenceRequest, credentials: Credentials, options: ConnectionOptions) -> dict[str, Any]:
    """The arguments of a call besides its message."""
    return {
        "timeout": request.timeout_s,
        "metadata": tuple({**credentials.headers, **request.headers}.items()),
        "compression": _COMPRESSIONS[options.compression],
    }


def decode_response(content: bytes) -> InferenceResponse:
    """Parses a serialized `ModelInferResponse`. Raises TransportError if it is none, or violates the protocol."""
    try:
        message = ModelInferResponse.FromString(content)
    except DecodeError as exc:
        raise TransportError(Status.GARBLED, "the response does not follow the v2 protocol") from exc
    raw = message.raw_output_contents
    outputs = tuple(
        from_bytes(output.name, output.datatype, output.shape, raw[index])
        if index < len(raw)
        else from_values(output.name, output.datatype, output.shape, _values(output.contents))
        for index, output in enumerate(message.outputs)
    )
    return InferenceResponse(model=message.model_name, version=message.model_version, outputs=outputs)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Converts errors of gRPC and of waiting into TransportError."""
    try:
        yield
    except (TimeoutError, grpc.FutureTimeoutError) as exc:
        raise TransportError(Status.DEADLINE_EXCEEDED, "deadline passed") from exc
    except grpc.RpcError as exc:
        status, message = _STATUSES.get(exc.code(), Status.FAILED), str(exc.details())
        wait_s = _retry_after_s(exc.trailing_metadata() or ())
        raise TransportError(refine_status(status, message), message, wait_s) from exc
    except (grpc.FutureCancelledError, grpc.aio.UsageError, ValueError) as exc:
        # A ValueError comes from a closed channel.
        raise TransportError(Status.UNAVAILABLE, "the connection was closed") from exc


class GrpcTransport:
    """One channel, shared by all threads."""

    def __init__(self, url: ServerUrl, credentials: Credentials, options: ConnectionOptions) -> None:
        self._credentials = credentials
        self._options = options
        self._channel = open_channel(grpc, url, credentials, options)
        self._infer = self._channel.unary_unary(INFER)

    def infer(self, request: InferenceRequest) -> InferenceResponse:
        message = encode_request(request)
        arguments = call_arguments(request, self._credentials, self._options)
        send = self._infer if len(message) <= SMALL_BYTES else self._infer_large
        with translated_errors():
            return decode_response(send(message, **arguments))

    def close(self) -> None:
        self._channel.close()

    def _infer_large(self, message: bytes, *, timeout: float, **arguments: Any) -> bytes:
        """Keeps the deadline in the calling thread."""
        call = self._infer.future(message, timeout=timeout, **arguments)
        try:
            return bytes(call.result(timeout))
        finally:
            call.cancel()


def _values(contents: Any) -> Any:
    """The one list of values that is not empty."""
    return next((values for _, values in contents.ListFields()), ())


def _retry_after_s(metadata: Iterable[tuple[str, str | bytes]]) -> float:
    """The seconds to wait before a retry, by the trailing metadata of a refusal; 0 if it does not say.

    gRPC's own name is `grpc-retry-pushback-ms`, where anything but a number means not to retry (gRFC A6).
    """
    trailers = {name: value for name, value in metadata if isinstance(value, str)}
    if (pushback := trailers.get("grpc-retry-pushback-ms")) is not None:
        return parse_delay(pushback, unknown=math.inf) / 1000
    return parse_delay(trailers.get("retry-after", ""))
