"""The v2 protocol over gRPC."""

from concurrent.futures import Future
from typing import Any, Final

import tritonclient.grpc as protocol
from tritonclient.utils import InferenceServerException

from genderclient._transports import tensors
from genderclient._transports.base import InferenceRequest, InferenceResponse, Status, TransportError, refined
from genderclient._transports.credentials import Access
from genderclient._transports.options import ConnectionOptions
from genderclient._transports.url import ServerUrl

_STATUSES: Final = {
    "StatusCode.INVALID_ARGUMENT": Status.INVALID_ARGUMENT,
    "StatusCode.DEADLINE_EXCEEDED": Status.DEADLINE_EXCEEDED,
    "StatusCode.UNAVAILABLE": Status.UNAVAILABLE,
    # Our own channel was closed meanwhile.
    "StatusCode.CANCELLED": Status.UNAVAILABLE,
    "StatusCode.NOT_FOUND": Status.NOT_FOUND,
    "StatusCode.UNIMPLEMENTED": Status.GARBLED,
    "StatusCode.UNAUTHENTICATED": Status.DENIED,
    "StatusCode.PERMISSION_DENIED": Status.DENIED,
    "StatusCode.RESOURCE_EXHAUSTED": Status.OVERLOADED,
}


# gRPC keeps no deadline where a request is half written when the server closes its side and reads no more. With a
# larger one, who waits keeps it; so few bytes the system takes at once, unless others on the connection fill it. The
# system ends such a connection (TCP_USER_TIMEOUT), which gRPC asks for only on channels with a keepalive time.
SMALL_BYTES: Final = 2**16
STALLED_MS: Final = 10_000
NEVER_MS: Final = 2**31 - 2


def channel(options: ConnectionOptions) -> list[tuple[str, int]]:
    """What a channel is told; it replaces all of tritonclient's own."""
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
        # A server which was restarted is found within two seconds instead of two minutes.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2000),
        # Who takes connections and says nothing is left after five seconds instead of twenty.
        ("grpc.min_reconnect_backoff_ms", 5000),
        # A new client makes a connection of its own; else it would wait for the one that hangs.
        ("grpc.use_local_subchannel_pool", 1),
        # A proxy for the web has no business in between.
        ("grpc.enable_http_proxy", 0),
    ]


def failure(exc: InferenceServerException) -> TransportError:
    """Why there is no response, from what tritonclient raised."""
    message = str(exc.message())
    status = _STATUSES.get(exc.status(), Status.FAILED)
    return TransportError(refined(status, message), message)


def response(result: Any) -> InferenceResponse:
    """tritonclient's `InferResult`, or its async twin's, as ours."""
    answer = result.get_response()
    names = [output.name for output in answer.outputs]
    return tensors.response(result, model=answer.model_name, version=answer.model_version, names=names)


class GrpcTransport:
    """One channel, shared by all threads."""

    def __init__(self, url: ServerUrl, access: Access, options: ConnectionOptions) -> None:
        self._headers = access.headers
        self._compression = options.compression
        self._client = protocol.InferenceServerClient(
            url.address, channel_args=channel(options), **access.grpc_options(url)
        )

    def infer(self, request: InferenceRequest) -> InferenceResponse:
        arguments = {
            "model_name": request.model,
            "request_id": request.request_id,
            "client_timeout": request.timeout_s,
            "headers": {**self._headers, **request.headers},
            "compression_algorithm": self._compression,
            **tensors.arguments(request, protocol),
        }
        is_small = sum(len(tensor.value) for tensor in request.inputs) <= SMALL_BYTES
        try:
            return response(self._client.infer(**arguments) if is_small else self._infer_large(**arguments))
        except TimeoutError as exc:
            raise TransportError(Status.DEADLINE_EXCEEDED, "no answer in time") from exc
        except InferenceServerException as exc:
            raise failure(exc) from exc

    def _infer_large(self, *, client_timeout: float, **arguments: Any) -> Any:
        """As tritonclient's `infer`, but in time. Raises TimeoutError."""
        answer: Future[Any] = Future()

        def tell(result: Any, error: InferenceServerException | None) -> None:
            if error:
                answer.set_exception(error)
            else:
                answer.set_result(result)

        call = self._client.async_infer(callback=tell, client_timeout=client_timeout, **arguments)
        try:
            return answer.result(client_timeout)
        finally:
            call.cancel()

    def close(self) -> None:
        self._client.close()
