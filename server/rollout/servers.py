"""A running tritonserver told to follow the files, in an order in which no request fails.

Versions are loaded beside the others, and an ensemble is rewired only when its new ones are ready: Triton 2.51 would
stop one that serves if they were not. A request to an ensemble keeps the versions that it began with, though they go.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from server.edge.admin_lock import KEY_VARIABLE

from .config import Config, Versions
from .errors import ServerError
from .files import Changes
from .repository import CONFIG

HEADER: Final = "triton-grpc-protocol-admin-key"
ASK_S: Final = 5.0
LOAD_S: Final = 120.0
# Unloading what is not there does nothing, but is refused where models cannot be loaded by request.
NO_MODEL: Final = "no_such_model"

T = TypeVar("T")


class Server:
    """One tritonserver by its gRPC address, `host:port`; `key` opens its model control where that is locked."""

    def __init__(self, url: str, key: str = "") -> None:
        self.url = url
        self._client = InferenceServerClient(url)
        self._headers = {HEADER: key} if key else None

    def check(self) -> None:
        """Raises ServerError where it is not there, or would load nothing by request."""
        self._ask("no tritonserver answers", lambda: self._client.is_server_live(client_timeout=ASK_S))
        self._ask(
            f"its models cannot be changed (--model-control-mode=explicit --load-model=* allows it, {KEY_VARIABLE} "
            "opens it where it is locked)",
            lambda: self._client.unload_model(NO_MODEL, self._headers, client_timeout=ASK_S),
        )

    def wiring(self, ensemble: str) -> Versions:
        """The versions that it serves by this ensemble; empty where it has none. Raises ServerError."""
        if not self._is_ready(ensemble):
            return {}
        found = self._ask(f"no {ensemble}", lambda: self._client.get_model_config(ensemble, client_timeout=ASK_S))
        return Config.of(Path(self.url), str(found.config)).wiring

    def follow(self, changes: Changes) -> None:
        """Do what the files say that were changed.

        Raises:
            ServerError: it could not; what served before goes on.
        """
        changed = {file: text for file, text in changes.items() if file.name == CONFIG}
        for file in (file for file, text in changed.items() if text is None):
            self._unload(file.parent.name)
        configs = [Config.of(file, text) for file, text in changed.items() if text is not None]
        for config in sorted(configs, key=lambda config: bool(config.wiring)):
            if config.wiring:
                self._rewire(config)
            else:
                self._load(config.message.name)

    def _unload(self, model: str) -> None:
        unload = self._client.unload_model
        self._ask(f"{model} does not go", lambda: unload(model, self._headers, client_timeout=LOAD_S))

    def _load(self, model: str) -> None:
        load = self._client.load_model
        self._ask(f"{model} does not load", lambda: load(model, self._headers, client_timeout=LOAD_S))

    def _rewire(self, ensemble: Config) -> None:
        for model, version in ensemble.wiring.items():
            self._provide(model, version)
        self._load(ensemble.message.name)
        if (found := self.wiring(ensemble.message.name)) != ensemble.wiring:
            raise ServerError(
                f"{self.url} serves {found} by {ensemble.message.name}, not {ensemble.wiring}: it reads other files "
                f"than {ensemble.file}; give --repository, or the --url of a server on this one"
            )

    def _provide(self, model: str, version: int) -> None:
        """Load what should be there already, but is not where a server was not told of a command before."""
        if not self._is_ready(model, version):
            self._load(model)
        if not self._is_ready(model, version):
            raise ServerError(f"{self.url} has no {model} {version}: it reads other files, or its log says why")

    def _is_ready(self, model: str, version: int | None = None) -> bool:
        ready = self._client.is_model_ready
        return self._ask(f"no {model}", lambda: bool(ready(model, str(version or ""), client_timeout=ASK_S)))

    def _ask(self, failure: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except InferenceServerException as exc:
            # Where a model failed, Triton says after an empty line in which file of its own.
            reason = str(exc.message()).split("\n")[0]
            raise ServerError(f"{self.url}: {failure}: {reason}") from exc
