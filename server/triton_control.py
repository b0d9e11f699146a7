"""The one client of Triton's repository, statistics and configuration API.

It speaks gRPC: a deadline covers the whole call, where an HTTP timeout covers a single read, and configurations and
statistics arrive as Triton's own protobuf messages, the ones that `config.pbtxt` is written in.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from uuid import uuid4

from google.protobuf import json_format
from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from server.edge.admin_lock import HEADER, admin_key
from server.errors import ControlError

# `ModelConfig` and `ModelStatistics` of Triton's protobuf, which has no type stubs.
ModelConfig = Any
ModelStatistics = Any

# Prefix of the metadata keys that `--grpc-restricted-protocol` compares.
METADATA_PREFIX: Final = "triton-grpc-protocol-"
CHANNEL: Final = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Otherwise a new channel shares a connection, and its reconnection backoff, with the one before it.
    ("grpc.use_local_subchannel_pool", 1),
]


class ModelVersion(NamedTuple):
    """A version of a model."""

    model: str
    version: str


def admin_metadata(key: str) -> dict[str, str]:
    """Return the metadata that unlocks what the launcher locks."""
    return {f"{METADATA_PREFIX}{HEADER}": key}


@dataclass(frozen=True)
class TritonControl:
    """Controls the Triton at `url`, the `host:port` of its gRPC endpoint.

    By default, `metadata` unlocks the servers that the launcher starts for this user.

    Every method raises `ControlError` if Triton refuses the command or does not answer within the deadline.
    """

    url: str
    metadata: Mapping[str, str] = field(default_factory=lambda: admin_metadata(admin_key()), repr=False)
    call_timeout_s: float = 5.0
    load_timeout_s: float = 120.0

    def check_live(self) -> None:
        self._call("Triton does not answer", InferenceServerClient.is_server_live)

    def ready(self) -> set[ModelVersion]:
        """The model versions that Triton reports as ready."""
        index = self._call("cannot list the models", InferenceServerClient.get_model_repository_index)
        return {ModelVersion(each.name, each.version) for each in index.models if each.state == "READY"}

    def is_ready(self, model: str, version: int | None = None) -> bool:
        """Whether Triton reports this version as ready; without a version, whether it reports any."""
        what = f"cannot check {model}"
        return bool(self._call(what, InferenceServerClient.is_model_ready, model, str(version or "")))

    def statistics(self) -> list[ModelStatistics]:
        """One message for each loaded version of each model."""
        answer = self._call("cannot read the statistics", InferenceServerClient.get_inference_statistics)
        return list(answer.model_stats)

    def config(self, model: str) -> ModelConfig:
        """The configuration that a loaded model runs with."""
        return self._call(
            f"cannot read the configuration of {model}", InferenceServerClient.get_model_config, model
        ).config

    def load(self, model: str, config: ModelConfig | None = None) -> None:
        """Load a model if its files or its configuration changed; what was loaded stays until the new one is ready."""
        self._call(
            f"cannot load {model}",
            InferenceServerClient.load_model,
            model,
            config=json_format.MessageToJson(config) if config is not None else None,
            timeout_s=self.load_timeout_s,
        )

    def unload(self, model: str) -> None:
        """Unload every version of a model; does nothing if the model does not exist."""
        self._call(f"cannot unload {model}", InferenceServerClient.unload_model, model, timeout_s=self.load_timeout_s)

    def reload(self, models: Iterable[str], *, unload: bool) -> None:
        """Load models again although nothing changed; Triton updates their ensembles itself.

        Without `unload`, the running instances serve until the new ones are ready.
        """
        models = list(models)
        for model in models if unload else ():
            self.unload(model)
        failures = []
        for model in models:
            try:
                self.load(model, None if unload else self._marked_config(model))
            except ControlError as exc:  # the others are loaded all the same
                failures.append(exc)
        if failures:
            raise failures[0]

    def _marked_config(self, model: str) -> ModelConfig:
        """The running configuration with a new parameter, because Triton ignores a load that changes nothing."""
        config = self.config(model)
        config.parameters["reload"].string_value = uuid4().hex
        return config

    def _call(
        self, failure: str, method: Callable[..., Any], *args: Any, timeout_s: float | None = None, **options: Any
    ) -> Any:
        # A channel for each call: a kept one would wait out its reconnection backoff after a restart.
        with InferenceServerClient(self.url, channel_args=CHANNEL) as client:
            try:
                return method(
                    client, *args, headers=self.metadata, client_timeout=timeout_s or self.call_timeout_s, **options
                )
            except InferenceServerException as exc:
                # After an empty line, Triton names one of its own source files.
                reason = str(exc.message()).split("\n")[0]
                raise ControlError(f"{self.url}: {failure}: {reason}") from exc
