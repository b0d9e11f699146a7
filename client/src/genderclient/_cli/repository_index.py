"""The index of a server's model repository, by the repository extension of the v2 protocol."""

import json
from typing import Any

from genderclient import ConnectionOptions, InferenceRequest, Status, TransportError
from genderclient._exceptions import error_for
from genderclient._transports.credentials import Access
from genderclient._transports.url import ServerUrl

FIELDS = ("name", "version", "state", "reason")


def repository_index(url: ServerUrl, access: Access, timeout_s: float) -> list[dict[str, str]]:
    """The `FIELDS` of each model. Version and state are empty if the model has never been loaded.

    Raises:
        GenderClientError: the server is unreachable or rejects the request.
    """
    try:
        entries = (_over_grpc if url.scheme in ("grpc", "grpcs") else _over_http)(url, access, timeout_s)
    except TransportError as exc:
        raise error_for(exc, InferenceRequest(model="repository", inputs=(), timeout_s=timeout_s)) from exc
    return [{field: str(entry.get(field, "")) for field in FIELDS} for entry in entries]


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
    entries: list[dict[str, Any]] = index.get("models", [])
    return entries


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
        entries: list[dict[str, Any]] = json.loads(reply.body)
        return entries
    except ValueError as exc:
        raise TransportError(Status.GARBLED, "the response does not follow the v2 protocol") from exc
