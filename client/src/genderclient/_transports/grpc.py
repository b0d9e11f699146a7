"""The v2 protocol over gRPC."""

from typing import Final

import tritonclient.grpc as protocol
from tritonclient.utils import InferenceServerException

from genderclient._config import ServerUrl
from genderclient._transports import _tensors
from genderclient._transports.base import InferenceRequest, InferenceResponse, Status, TransportError

_STATUSES: Final = {
    "StatusCode.INVALID_ARGUMENT": Status.INVALID_ARGUMENT,
    "StatusCode.DEADLINE_EXCEEDED": Status.DEADLINE_EXCEEDED,
    "StatusCode.UNAVAILABLE": Status.UNAVAILABLE,
    "StatusCode.NOT_FOUND": Status.NOT_FOUND,
    "StatusCode.UNIMPLEMENTED": Status.GARBLED,
}

# These replace all of tritonclient's own. Reconnecting stays quick, so that a server which was restarted is found
# within two seconds instead of two minutes; and a proxy for the web has no business in between.
_CHANNEL: Final = [
    ("grpc.max_send_message_length", 2**31 - 1),
    ("grpc.max_receive_message_length", 2**31 - 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.enable_http_proxy", 0),
]


class GrpcTransport:
    """One channel, shared by all threads."""

    def __init__(self, url: ServerUrl) -> None:
        self._client = protocol.InferenceServerClient(url.address, channel_args=_CHANNEL)

    def infer(self, request: InferenceRequest) -> InferenceResponse:
        tensors = _tensors.arguments(request, protocol)
        try:
            result = self._client.infer(request.model, client_timeout=request.timeout_s, **tensors)
        except InferenceServerException as exc:
            raise TransportError(_STATUSES.get(exc.status(), Status.FAILED), exc.message()) from exc
        answer = result.get_response()
        names = [output.name for output in answer.outputs]
        return _tensors.response(result, model=answer.model_name, version=answer.model_version, names=names)

    def close(self) -> None:
        self._client.close()
