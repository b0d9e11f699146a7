"""A server's model repository, by the repository and configuration extensions of the v2 protocol."""

import json
import os
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from genderclient import ConnectionOptions, GenderClientError, InferenceRequest, Status, TransportError
from genderclient._exceptions import error_for
from genderclient._transports.credentials import LOOPBACK, Credentials
from genderclient._transports.url import ServerUrl

FIELDS: Final = ("name", "version", "state", "reason")
# The roles of the ensembles that answer questions.
ROLES: Final = ("gender", "rank", "embed", "similar", "screen")
# The header that unlocks the repository of a server that this project's launcher started.
ADMIN_HEADER: Final = "admin-key"


@dataclass(frozen=True, slots=True)
class Repository:
    """The repository of one server. Each method raises a GenderClientError if it has no answer in `timeout_s`."""

    url: ServerUrl
    credentials: Credentials
    timeout_s: float

    def index(self) -> list[dict[str, str]]:
        """The `FIELDS` of each model. Version and state are empty if the model has never been loaded."""
        if self.url.is_grpc:
            models = self._grpc("RepositoryIndex").models
            return [{field: getattr(model, field) for field in FIELDS} for model in models]
        entries = self._http("POST", "/v2/repository/index", b"{}")
        return [{field: str(entry.get(field, "")) for field in FIELDS} for entry in entries]

    def serves(self, model: str) -> bool:
        """Whether the server has this model; a reverse proxy allows this request although it hides the repository."""
        try:
            if self.url.is_grpc:
                self._grpc("ModelMetadata", name=model)
            else:
                self._http("GET", f"/v2/models/{quote(model, safe='')}")
        except GenderClientError:
            return False
        return True

    def role(self, model: str) -> str | None:
        """The role of a loaded model, by its configuration. Raises AttributeError or TypeError if that is malformed."""
        if self.url.is_grpc:
            parameters = self._grpc("ModelConfig", name=model).config.parameters
            return next((str(each.value.string_value) for each in parameters if each.key == "role"), None)
        config = self._http("GET", f"/v2/models/{quote(model, safe='')}/config")
        role: str | None = config.get("parameters", {}).get("role", {}).get("string_value")
        return role

    def _grpc(self, method: str, **fields: str) -> Any:
        import grpc

        from genderclient._transports import messages
        from genderclient._transports.grpc import open_channel, translated_errors

        request, response = (getattr(messages, f"{method}{kind}") for kind in ("Request", "Response"))
        metadata = tuple(self._headers("triton-grpc-protocol-").items())
        channel = open_channel(grpc, self.url, self.credentials, ConnectionOptions())
        call = channel.unary_unary(f"{messages.SERVICE}/{method}", request.SerializeToString, response.FromString)
        try:
            with closing(channel), translated_errors():
                return call(request(**fields), metadata=metadata, timeout=self.timeout_s)
        except TransportError as exc:
            raise self._error(exc) from exc

    def _http(self, method: str, path: str, body: bytes | None = None) -> Any:
        from http.client import HTTPException

        from genderclient._transports.connection import Connection, Deadline
        from genderclient._transports.http_messages import error_response, translated_errors

        connection = Connection(
            self.url.host,
            self.url.port,
            self.credentials.ssl_context(self.url),
            max_bytes=ConnectionOptions().max_message_bytes,
        )
        try:
            with closing(connection), translated_errors(self.url, lost=(), malformed=(HTTPException,)):
                deadline = Deadline.after(self.timeout_s)
                response = connection.exchange(method, path, deadline, body=body, headers=self._headers())
            if response.code != 200:
                raise error_response(response)
            return json.loads(response.body)
        except (ValueError, RecursionError) as exc:
            raise self._error(TransportError(Status.GARBLED, "the response is not JSON")) from exc
        except TransportError as exc:
            raise self._error(exc) from exc

    def _headers(self, prefix: str = "") -> dict[str, str]:
        key = _admin_key(self.url)
        return self.credentials.headers | ({prefix + ADMIN_HEADER: key} if key else {})

    def _error(self, exc: TransportError) -> GenderClientError:
        return error_for(exc, InferenceRequest(model="repository", inputs=(), timeout_s=self.timeout_s))


def models_with_roles(repository: Repository, expected: tuple[str, ...]) -> list[str]:
    """The loaded models whose configuration has one of `ROLES`, and the `expected` models that are not loaded."""
    entries = repository.index()
    loaded = dict.fromkeys(entry["name"] for entry in entries if entry["state"] == "READY")
    absent = [name for name in expected if name not in loaded and any(entry["name"] == name for entry in entries)]
    try:
        return [name for name in loaded if repository.role(name) in ROLES] + absent
    except (AttributeError, TypeError) as exc:
        raise GenderClientError("the configuration of a model does not follow the v2 protocol") from exc


def _admin_key(url: ServerUrl) -> str:
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
    return key
