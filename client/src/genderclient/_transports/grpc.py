"""The v2 protocol over gRPC."""

from typing import Any, Final

import tritonclient.grpc as protocol
from tritonclient.utils import InferenceServerException

from genderclient._access import Access
from genderclient._config import ServerUrl
from genderclient._transports import _tensors
from genderclient._transports.base import InferenceRequest, InferenceResponse, Status, TransportError, refused_status

_STATUSES: Final = {
    "StatusCode.INVALID_ARGUMENT": Status.INVALID_ARGUMENT,
    "StatusCode.DEADLINE_EXCEEDED": Status.DEADLINE_EXCEEDED,
    "StatusCode.UNAVAILABLE": Status.UNAVAILABLE,
    # Our own channel was closed meanwhile.
    "StatusCode.CANCELLED": Status.UNAVAILABLE,
    "StatusCode.NOT_FOUND": Status.NOT_FOUND,
    "StatusCode.UNIMPLEMENTED": Status.GARBLED,
}

# These replace all of tritonclient's own. Reconnecting stays quick, so that a server which was restarted is found
# within two seconds instead of two minutes; and a proxy for the web has no business in between.
CHANNEL: Final = [
    ("grpc.max_send_message_length", 2**31 - 1),
    ("grpc.max_receive_message_length", 2**31 - 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.enable_http_proxy", 0),
]


def failure(exc: InferenceServerException) -> TransportError:
    """Why there is no response, from what tritonclient raised."""
    message = str(exc.message())
    status = _STATUSES.get(exc.status(), Status.FAILED)
    return TransportError(refused_status(message) if status is Status.UNAVAILABLE else status, message)


def response(result: Any) -> InferenceResponse:
    """tritonclient's `InferResult`, or its async twin's, as ours."""
    answer = result.get_response()
    names = [output.name for output in answer.outputs]
    return _tensors.response(result, model=answer.model_name, version=answer.model_version, names=names)


class GrpcTransport:
    """One channel, shared by all threads."""

    def __init__(self, url: ServerUrl, access: Access) -> None:
        self._headers = access.headers
        self._client = protocol.InferenceServerClient(url.address, channel_args=CHANNEL, **access.grpc_options(url))

    def infer(self, request: InferenceRequest) -> InferenceResponse:
        tensors = _tensors.arguments(request, protocol)
        try:
            result = self._client.infer(
                request.model,
                request_id=request.request_id,
                client_timeout=request.timeout_s,
                headers=self._headers,
                **tensors,
            )
        except InferenceServerException as exc:
            raise failure(exc) from exc
        return response(result)

    def close(self) -> None:
        self._client.close()
