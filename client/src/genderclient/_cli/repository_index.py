"""The index of a server's model repository, by the repository extension of the v2 protocol."""

import json
from contextlib import closing
from typing import Any

from genderclient import ConnectionOptions, InferenceRequest, Status, TransportError
from genderclient._exceptions import error_for
from genderclient._transports.credentials import Credentials
from genderclient._transports.url import ServerUrl

FIELDS = ("name", "version", "state", "reason")


def repository_index(url: ServerUrl, credentials: Credentials, timeout_s: float) -> list[dict[str, str]]:
    """The `FIELDS` of each model. Version and state are empty if the model has never been loaded."""
    try:
        entries = (_over_grpc if url.is_grpc else _over_http)(url, credentials, timeout_s)
    except TransportError as exc:
        raise error_for(exc, InferenceRequest(model="repository", inputs=(), timeout_s=timeout_s)) from exc
    return [{field: str(entry.get(field, "")) for field in FIELDS} for entry in entries]


def _over_grpc(url: ServerUrl, credentials: Credentials, timeout_s: float) -> list[dict[str, Any]]:
    import tritonclient.grpc as protocol

    from genderclient._transports.grpc import channel_args, translated_errors

    client = protocol.InferenceServerClient(
        url.address, channel_args=channel_args(ConnectionOptions()), **credentials.grpc_options(url)
    )
    with translated_errors(), closing(client):
        index = client.get_model_repository_index(headers=credentials.headers, as_json=True, client_timeout=timeout_s)
    entries: list[dict[str, Any]] = index.get("models", [])
    return entries


def _over_http(url: ServerUrl, credentials: Credentials, timeout_s: float) -> list[dict[str, Any]]:
    from genderclient._transports.http import HttpTransport
    from genderclient._transports.http_messages import error_response

    with closing(HttpTransport(url, credentials, ConnectionOptions())) as transport:
        response = transport.post("/v2/repository/index", {}, b"{}", timeout_s)
    if response.code != 200:
        raise error_response(response)
    try:
        entries: list[dict[str, Any]] = json.loads(response.body)
        return entries
    except ValueError as exc:
        raise TransportError(Status.GARBLED, "the response does not follow the v2 protocol") from exc
