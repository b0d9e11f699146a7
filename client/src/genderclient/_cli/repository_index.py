"""The index of a server's model repository, by the repository extension of the v2 protocol."""

import json
import os
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from genderclient import ConnectionOptions, InferenceRequest, Status, TransportError
from genderclient._exceptions import error_for
from genderclient._transports.credentials import LOOPBACK, Credentials
from genderclient._transports.url import ServerUrl

FIELDS = ("name", "version", "state", "reason")
# The header that unlocks the repository of a server that this project's launcher started.
ADMIN_HEADER = "admin-key"


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
    headers = credentials.headers | {f"triton-grpc-protocol-{name}": key for name, key in _admin_headers(url).items()}
    with translated_errors(), closing(client):
        index = client.get_model_repository_index(headers=headers, as_json=True, client_timeout=timeout_s)
    entries: list[dict[str, Any]] = index.get("models", [])
    return entries


def _over_http(url: ServerUrl, credentials: Credentials, timeout_s: float) -> list[dict[str, Any]]:
    from genderclient._transports.http import HttpTransport
    from genderclient._transports.http_messages import error_response

    with closing(HttpTransport(url, credentials, ConnectionOptions())) as transport:
        response = transport.post("/v2/repository/index", _admin_headers(url), b"{}", timeout_s)
    if response.code != 200:
        raise error_response(response)
    try:
        entries: list[dict[str, Any]] = json.loads(response.body)
        return entries
    except ValueError as exc:
        raise TransportError(Status.GARBLED, "the response does not follow the v2 protocol") from exc


def _admin_headers(url: ServerUrl) -> dict[str, str]:
    """`TRITON_ADMIN_KEY`, else the key of this user's servers on this machine.

    Other machines never receive it unencrypted.
    """
    key = ""
    if url.secure or url.host in LOOPBACK:
        key = os.environ.get("TRITON_ADMIN_KEY", "")
    if not key and url.host in LOOPBACK:
        with suppress(OSError, RuntimeError):
            cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
            key = (cache / "gender-triton" / "admin-key").read_text().strip()
    return {ADMIN_HEADER: key} if key else {}
