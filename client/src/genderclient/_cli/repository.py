"""Which models a server has, by the repository extension of the v2 protocol."""

import json
from typing import Any

from genderclient._exceptions import error_for
from genderclient._transports.base import InferenceRequest, Status, TransportError
from genderclient._transports.credentials import Access
from genderclient._transports.options import ConnectionOptions
from genderclient._transports.url import ServerUrl

Model = dict[str, str]


def models(url: ServerUrl, access: Access, timeout_s: float) -> list[Model]:
    """`name`, `version`, `state` and `reason` of each; version and state are empty for one that was never loaded.

    Raises GenderClientError.
    """
    ask = _over_grpc if url.scheme in ("grpc", "grpcs") else _over_http
    try:
        found = ask(url, access, timeout_s)
    except TransportError as exc:
        question = InferenceRequest(model="repository", inputs=(), timeout_s=timeout_s)
        raise error_for(exc, question) from exc
    return [{key: str(model.get(key, "")) for key in ("name", "version", "state", "reason")} for model in found]


def _over_grpc(url: ServerUrl, access: Access, timeout_s: float) -> list[dict[str, Any]]:
    import tritonclient.grpc as protocol
    from tritonclient.utils import InferenceServerException

    from genderclient._transports.grpc import channel, failure

    client = protocol.InferenceServerClient(
        url.address, channel_args=channel(ConnectionOptions()), **access.grpc_options(url)
    )
    try:
        index = client.get_model_repository_index(headers=access.headers, as_json=True, client_timeout=timeout_s)
    except InferenceServerException as exc:
        raise failure(exc) from exc
    finally:
        client.close()
    found: list[dict[str, Any]] = index.get("models", [])
    return found


def _over_http(url: ServerUrl, access: Access, timeout_s: float) -> list[dict[str, Any]]:
    from genderclient._transports.http import HttpTransport, failed

    transport = HttpTransport(url, access, ConnectionOptions())
    try:
        reply = transport.post("/v2/repository/index", {}, b"{}", timeout_s)
    finally:
        transport.close()
    if reply.code != 200:
        raise failed(reply)
    try:
        found: list[dict[str, Any]] = json.loads(reply.body)
        return found
    except ValueError as exc:
        raise TransportError(Status.GARBLED, "the answer does not follow the v2 protocol") from exc
