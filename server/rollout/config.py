"""A `config.pbtxt` changed in place: comments stay, and Triton's own protobuf confirms that nothing else changed."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from .errors import LifecycleError

Versions = dict[str, int]  # of the models that an ensemble is made of


@dataclass(frozen=True)
class Config:
    """One model's configuration: what it says, and how it is written."""

    file: Path
    text: str
    message: Any

    @classmethod
    def read(cls, file: Path) -> "Config":
        """Raises LifecycleError where it cannot be read."""
        try:
            return cls.of(file, file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as exc:
            raise LifecycleError(f"{file} cannot be read: {exc}") from exc

    @classmethod
    def of(cls, file: Path, text: str) -> "Config":
        """What `text` says, whatever is in `file`. Raises LifecycleError where it is no configuration."""
        try:
            return cls(file, text, text_format.Parse(text, model_config_pb2.ModelConfig()))
        except text_format.ParseError as exc:
            raise LifecycleError(f"{file} is no model configuration: {exc}") from exc

    @property
    def wiring(self) -> Versions:
        """The models that an ensemble is made of, each with its version; empty where it is no ensemble."""
        return {step.model_name: step.model_version for step in self.message.ensemble_scheduling.step}

    @property
    def served(self) -> set[int]:
        """The versions that Triton is to load."""
        return set(self.message.version_policy.specific.versions)

    def parameter(self, key: str) -> str:
        """Empty where there is none."""
        return str(self.message.parameters[key].string_value) if key in self.message.parameters else ""

    def serving(self, versions: Iterable[int]) -> "Config":
        """The same, but these versions are to be loaded."""
        wanted = sorted(versions)
        listed = ", ".join(map(str, wanted))
        text = re.sub(r"(version_policy:?\s*{\s*specific:?\s*{\s*versions:\s*\[)[^]]*]", rf"\1 {listed} ]", self.text)
        changed = self._copy()
        changed.version_policy.specific.versions[:] = wanted
        return self._confirmed(text, changed, "version_policy { specific { versions: [ … ] } } with what is served")

    def wired(self, versions: Versions) -> "Config":
        """The same ensemble of these versions."""
        text, changed = self.text, self._copy()
        for model, version in versions.items():
            text = re.sub(rf'(model_name:\s*"{re.escape(model)}"\s+model_version:\s*)-?\d+', rf"\g<1>{version}", text)
        for step in changed.ensemble_scheduling.step:
            step.model_version = versions[step.model_name]
        return self._confirmed(text, changed, "in every step model_name and, after it, model_version")

    def named(self, name: str, file: Path) -> "Config":
        """The same of another name, for another file."""
        text, changed = re.sub(r'(?m)^name:\s*".*"', f'name: "{name}"', self.text), self._copy()
        changed.name = name
        return replace(self._confirmed(text, changed, f'a line name: "{self.message.name}"'), file=file)

    def _copy(self) -> Any:
        copy = model_config_pb2.ModelConfig()
        copy.CopyFrom(self.message)
        return copy

    def _confirmed(self, text: str, message: Any, expected: str) -> "Config":
        found = Config.of(self.file, text)
        if found.message != message:
            raise LifecycleError(f"{self.file} cannot be changed as it is written; expected {expected}")
        return found
