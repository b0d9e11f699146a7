"""Edits the text of a `config.pbtxt`; comments stay, and Triton's protobuf confirms that nothing else changed."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from tritonclient.grpc import model_config_pb2

from server.catalog import Model, parse_config, read_config
from server.errors import RolloutError
from server.triton_control import ModelConfig


@dataclass(frozen=True)
class ConfigFile(Model):
    """A model with the text of its configuration, `file`."""

    file: Path
    text: str

    @classmethod
    def read(cls, file: Path) -> "ConfigFile":
        """Raises CatalogError if the file cannot be read."""
        return cls.parse(file, read_config(file))

    @classmethod
    def parse(cls, file: Path, text: str) -> "ConfigFile":
        """The model that `text` describes, whatever `file` holds. Raises CatalogError if it describes none."""
        config = parse_config(text, file)
        return cls(config.name or file.parent.name, file.parent, config, file, text)

    @property
    def served(self) -> set[int]:
        """The versions that Triton loads."""
        return set(self.config.version_policy.specific.versions)

    def with_served(self, versions: Iterable[int]) -> "ConfigFile":
        """The same model with these versions to load."""
        ordered = sorted(versions)
        listed = ", ".join(map(str, ordered))
        text = re.sub(r"(version_policy:?\s*{\s*specific:?\s*{\s*versions:\s*\[)[^]]*]", rf"\1 {listed} ]", self.text)
        config = self._copy()
        config.version_policy.specific.versions[:] = ordered
        return self._confirmed(text, config, "version_policy { specific { versions: [ … ] } } with the served versions")

    def with_steps(self, versions: dict[str, int]) -> "ConfigFile":
        """The same ensemble of these versions of its models."""
        text, config = self.text, self._copy()
        for model, version in versions.items():
            text = re.sub(rf'(model_name:\s*"{re.escape(model)}"\s+model_version:\s*)-?\d+', rf"\g<1>{version}", text)
        for step in config.ensemble_scheduling.step:
            step.model_version = versions[step.model_name]
        return self._confirmed(text, config, "in every step model_name followed by model_version")

    def renamed(self, name: str, file: Path) -> "ConfigFile":
        """The same configuration for another model in another file."""
        text, config = re.sub(r'(?m)^name:\s*".*"', f'name: "{name}"', self.text), self._copy()
        config.name = name
        return replace(self._confirmed(text, config, f'a line name: "{self.name}"'), file=file, folder=file.parent)

    def _copy(self) -> ModelConfig:
        copy = model_config_pb2.ModelConfig()
        copy.CopyFrom(self.config)
        return copy

    def _confirmed(self, text: str, config: ModelConfig, expected: str) -> "ConfigFile":
        edited = ConfigFile.parse(self.file, text)
        if edited.config != config:
            raise RolloutError(f"{self.file} cannot be edited as it is written; expected {expected}")
        return edited
