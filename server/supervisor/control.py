"""Triton's own HTTP endpoints, asked and told by the supervisor; none of them makes an inference."""

import http.client
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from .stubs import Loaded

ANSWER_S = 1.0
LOAD_S = 60.0


class ControlError(Exception):
    """Triton refused, or did not answer; one line."""


@dataclass(frozen=True)
class Control:
    """A server at `host`:`port`; `headers` open what `--http-restricted-api` has closed."""

    host: str
    port: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def answered(self) -> dict[str, int]:
        """How many inferences each model has answered so far. Raises ControlError where there is no sign of life."""
        found: dict[str, int] = {}
        for each in self._statistics():
            found[each["name"]] = found.get(each["name"], 0) + int(each.get("inference_count", 0))
        return found

    def last_inference_s(self) -> float:
        """When the last inference was, by the server's own clock, in seconds since 1970."""
        return max(float(each.get("last_inference", 0)) for each in self._statistics()) / 1000

    def ready(self) -> set[Loaded]:
        """The versions of models that are ready, by Triton's account."""
        index = self._ask("POST", "/v2/repository/index")
        return {Loaded(each["name"], each.get("version", "")) for each in index if each.get("state") == "READY"}

    def instances(self, model: str) -> int:
        """How many instances of a model its configuration asks for."""
        config = self._ask("GET", f"/v2/models/{model}/config")
        return sum(int(group.get("count", 1)) for group in config.get("instance_group", [])) or 1

    def renew(self, models: Iterable[str], unload: bool) -> None:
        """Load models anew, the ensembles around them follow by themselves.

        Without `unload` they load beside the old ones, which go on as far as they can until the new ones are there.

        Raises:
            ControlError: Triton could not.
        """
        models = list(models)
        for model in models if unload else ():
            self._ask("POST", f"/v2/repository/models/{model}/unload", timeout_s=LOAD_S)
        for model in models:
            self.load(model, None if unload else self._marked_config(model))

    def load(self, model: str, config: Any = None) -> None:
        """Load a model whose files have changed, or with another configuration; does nothing where all is the same.

        Raises:
            ControlError: Triton could not; what was loaded goes on.
        """
        body = {"parameters": {"config": json.dumps(config)}} if config else {}
        self._ask("POST", f"/v2/repository/models/{model}/load", body, LOAD_S)

    def _statistics(self) -> list[dict[str, Any]]:
        """Of each version of each model."""
        statistics: list[dict[str, Any]] = self._ask("GET", "/v2/models/stats")["model_stats"]
        return statistics

    def _marked_config(self, model: str) -> Any:
        """The running configuration with a mark: Triton loads beside the old one only what has changed."""
        config = self._ask("GET", f"/v2/models/{model}/config")
        config.setdefault("parameters", {})["loaded_anew"] = {"string_value": uuid4().hex}
        return config

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None, timeout_s: float = ANSWER_S) -> Any:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout_s)
        try:
            connection.request(method, path, json.dumps(body or {}) if method == "POST" else None, dict(self.headers))
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                # Not the text: it may hold paths.
                raise ControlError(f"{path}: HTTP {answer.status}")
            return json.loads(text) if text else None
        except (OSError, http.client.HTTPException, ValueError) as exc:
            raise ControlError(f"{path}: {type(exc).__name__}") from exc
        finally:
            connection.close()
